//! A bad network, on purpose: faults by JSON, each for requests whose address contains a text.
//!
//! `{"path": "a.parquet", "method": "GET", "times": 2, "action": "status", "status": 503, "headers": {"retry-after": "0"}}`
//!
//! | action | what happens |
//! | --- | --- |
//! | `status` | this status instead of the answer, with `headers` |
//! | `redirect` | a 302 to `location` |
//! | `cut` | the connection is closed `after` bytes of the body |
//! | `stall` | nothing more comes `after` bytes of the body |
//! | `corrupt` | the first byte of the body is another |
//! | `delay` | the answer waits `ms` milliseconds |
//! | `slow` | the body comes at `rate` bytes a second |
//!
//! Without `times` a fault lasts; without `method` it is for all methods.

use std::sync::Mutex;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::response::Response;
use futures::StreamExt;
use serde::Deserialize;
use std::collections::HashMap;

use super::made;
use crate::error::{HubError, HubErrorKind};

/// One fault.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    #[serde(default)]
    path: String,
    method: Option<String>,
    times: Option<u64>,
    action: Action,
    status: Option<u16>,
    #[serde(default)]
    headers: HashMap<String, String>,
    location: Option<String>,
    #[serde(default)]
    after: usize,
    #[serde(default)]
    ms: u64,
    #[serde(default)]
    rate: u64,
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
enum Action {
    Status,
    Redirect,
    Cut,
    Stall,
    Corrupt,
    Delay,
    Slow,
}

#[derive(Default)]
pub(super) struct Faults(Mutex<Vec<Fault>>);

impl Faults {
    pub(super) fn add(&self, spec: &str) -> Result<(), HubError> {
        let fault: Fault = serde_json::from_str(spec)
            .map_err(|e| HubError::new(HubErrorKind::InvalidArgument, format!("not a fault: {e}")))?;
        if let Ok(mut faults) = self.0.lock() {
            faults.push(fault);
        }
        Ok(())
    }

    pub(super) fn clear(&self) {
        if let Ok(mut faults) = self.0.lock() {
            faults.clear();
        }
    }

    /// The first fault for a request; one with `times` is used up by it.
    pub(super) fn take(&self, method: &str, target: &str) -> Option<Fault> {
        let mut faults = self.0.lock().ok()?;
        let fault = faults.iter_mut().find(|f| {
            target.contains(&f.path) && f.method.as_deref().is_none_or(|m| m == method) && f.times != Some(0)
        })?;
        fault.times = fault.times.map(|n| n - 1);
        Some(fault.clone())
    }
}

impl Fault {
    /// The answer that takes the place of the real one.
    pub(super) fn instead(&self) -> Option<Response> {
        let headers: Vec<(&str, String)> =
            self.headers.iter().map(|(k, v)| (k.as_str(), v.clone())).collect();
        match self.action {
            Action::Status => Some(made(self.status.unwrap_or(500), &headers, Body::from("a fault"))),
            Action::Redirect => {
                Some(made(302, &[("location", self.location.clone().unwrap_or_default())], Body::empty()))
            }
            _ => None,
        }
    }

    /// The real answer, damaged.
    pub(super) async fn applied(self, response: Response) -> Response {
        match self.action {
            Action::Delay => {
                tokio::time::sleep(Duration::from_millis(self.ms)).await;
                response
            }
            Action::Slow if response.status().is_success() => {
                let (parts, body) = response.into_parts();
                Response::from_parts(parts, slowed(body, self.rate.max(1)))
            }
            Action::Cut | Action::Stall | Action::Corrupt if response.status().is_success() => {
                let (parts, body) = response.into_parts();
                Response::from_parts(parts, self.damaged(body))
            }
            _ => response,
        }
    }

    fn damaged(self, body: Body) -> Body {
        let mut sent = 0;
        let mut corrupted = false;
        let cut = self.action != Action::Corrupt;
        let chunks = body.into_data_stream().map(move |chunk| {
            let mut chunk = chunk.map_err(std::io::Error::other)?;
            if !cut && !corrupted && !chunk.is_empty() {
                corrupted = true;
                let mut bytes = chunk.to_vec();
                bytes.iter_mut().take(1).for_each(|b| *b ^= 0xFF);
                chunk = bytes.into();
            }
            let left = self.after.saturating_sub(sent);
            if cut && chunk.len() > left {
                chunk.truncate(left);
            }
            sent += chunk.len();
            Ok::<Bytes, std::io::Error>(chunk)
        });
        if !cut {
            return Body::from_stream(chunks);
        }
        let stall = self.action == Action::Stall;
        let limited = chunks.take_while(|c| futures::future::ready(c.as_ref().is_ok_and(|c| !c.is_empty())));
        let end = futures::stream::once(async move {
            if stall {
                futures::future::pending::<()>().await;
            }
            // What was given before has to be on the wire first: an error at once throws it away.
            tokio::time::sleep(Duration::from_millis(20)).await;
            Err(std::io::Error::other("cut by a fault"))
        });
        Body::from_stream(limited.chain(end))
    }
}

/// The body, each chunk held back until its time at this many bytes a second.
fn slowed(body: Body, rate: u64) -> Body {
    let (start, mut sent) = (tokio::time::Instant::now(), 0_u64);
    Body::from_stream(body.into_data_stream().then(move |chunk| {
        sent += chunk.as_ref().map_or(0, |bytes| bytes.len() as u64);
        let due = start + Duration::from_secs_f64(sent as f64 / rate as f64);
        async move {
            tokio::time::sleep_until(due).await;
            chunk
        }
    }))
}
