//! Bytes of files: whole, or one range.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, Method};
use axum::response::Response;
use tokio::task::spawn_blocking;

use super::made;

const BLOCK: u64 = 512 << 10;

/// What a `Range` header asks of a file.
enum Wanted {
    All,
    Part(u64, u64),
    Nothing,
}

/// Answers a GET or HEAD of a file's bytes.
pub(super) fn serve(
    method: &Method,
    headers: &HeaderMap,
    disk: &Path,
    etag: &str,
    extra: Vec<(&'static str, String)>,
) -> Response {
    // Opening and asking for the size are as short as a hand-over to another thread.
    let Ok(mut file) = File::open(disk) else {
        return made(404, &[], Body::empty());
    };
    let Ok(meta) = file.metadata() else {
        return made(500, &[], Body::empty());
    };
    let size = meta.len();
    let quoted = format!("\"{etag}\"");
    let text = |name: &str| headers.get(name).and_then(|v| v.to_str().ok());
    let mut out = extra;
    out.push(("etag", quoted.clone()));
    out.push(("accept-ranges", "bytes".into()));
    out.push(("content-type", "application/octet-stream".into()));
    if text("if-none-match") == Some(&quoted) {
        return made(304, &out, Body::empty());
    }
    let range = text("range").filter(|_| text("if-range").is_none_or(|t| t == quoted));
    let (status, start, end) = match range.map_or(Wanted::All, |r| parse(r, size)) {
        Wanted::All => (200, 0, size),
        Wanted::Part(start, end) => {
            out.push(("content-range", format!("bytes {start}-{}/{size}", end - 1)));
            (206, start, end)
        }
        Wanted::Nothing => {
            return made(416, &[("content-range", format!("bytes */{size}"))], Body::empty());
        }
    };
    out.push(("content-length", (end - start).to_string()));
    if *method == Method::HEAD {
        return made(status, &out, Body::empty());
    }
    if start > 0 && file.seek(SeekFrom::Start(start)).is_err() {
        return made(500, &[], Body::empty());
    }
    made(status, &out, Body::from_stream(blocks(file, end - start)))
}

fn blocks(file: File, left: u64) -> impl futures::Stream<Item = std::io::Result<Bytes>> {
    futures::stream::try_unfold((file, left), |(mut file, left)| async move {
        if left == 0 {
            return Ok(None);
        }
        let (block, file) = spawn_blocking(move || {
            let wanted = BLOCK.min(left);
            let mut block = Vec::with_capacity(usize::try_from(wanted).unwrap_or_default());
            (&mut file).take(wanted).read_to_end(&mut block)?;
            Ok::<_, std::io::Error>((block, file))
        })
        .await
        .map_err(std::io::Error::other)??;
        if block.is_empty() {
            return Err(std::io::Error::from(std::io::ErrorKind::UnexpectedEof));
        }
        let left = left - block.len() as u64;
        Ok(Some((Bytes::from(block), (file, left))))
    })
}

/// `bytes=a-b`, `bytes=a-` or `bytes=-n`; anything else is ignored, as the standard has it.
fn parse(range: &str, size: u64) -> Wanted {
    let Some((from, to)) = range.strip_prefix("bytes=").and_then(|r| r.split_once('-')) else {
        return Wanted::All;
    };
    match (from.trim().parse::<u64>(), to.trim().parse::<u64>()) {
        (Ok(start), _) if start >= size => Wanted::Nothing,
        (Ok(start), Ok(last)) if last >= start => Wanted::Part(start, size.min(last.saturating_add(1))),
        (Ok(start), Err(_)) if to.trim().is_empty() => Wanted::Part(start, size),
        (Err(_), Ok(tail)) if from.trim().is_empty() && tail > 0 && size > 0 => {
            Wanted::Part(size.saturating_sub(tail), size)
        }
        _ => Wanted::All,
    }
}
