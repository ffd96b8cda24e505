//! `HubClient`: settings and connections. Cheap to clone; holds no runtime.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::config::HubConfig;
use crate::http::Http;

/// A client of one hub. Its calls are in `api`, `download` and `range`.
#[derive(Clone)]
pub struct HubClient {
    config: HubConfig,
    http: Http,
    /// Connections that large files may use beside their first.
    more: Arc<Semaphore>,
}

impl HubClient {
    /// A client over connections that may be shared with others.
    pub fn new(config: HubConfig, http: Http) -> Self {
        let more = Arc::new(Semaphore::new(config.connections.saturating_sub(1)));
        Self { config, http, more }
    }

    /// The settings.
    pub fn config(&self) -> &HubConfig {
        &self.config
    }

    /// The same client that waits longer for a server that is away (`HubConfig::patient`).
    #[must_use]
    pub fn patient(self) -> Self {
        Self { config: self.config.patient(), ..self }
    }

    pub(crate) fn http(&self) -> &Http {
        &self.http
    }

    /// Waits for the right to one more connection; files take turns. Given back when it is dropped.
    pub(crate) async fn connection(&self) -> Option<OwnedSemaphorePermit> {
        self.more.clone().acquire_owned().await.ok()
    }
}
