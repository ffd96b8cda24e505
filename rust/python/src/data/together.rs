//! `FilesAhead`: whole files, fetched side by side before they are used.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use crucible_data::ahead::{BUDGET, Share};
use crucible_data::source::Stopper;
use crucible_data::{ByteSource, DataError, DataErrorKind};
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use tokio::task::JoinSet;

use crate::door::{self, Started};
use crate::engine::engine;
use crate::hub::client::HubClient;
use crate::source::{HubStopper, Source, failed, no_engine};

/// Bytes that a file is taken for of which nobody said how many it has.
const UNKNOWN: u64 = 1 << 20;
/// Most bytes of such a file.
const MOST: usize = i32::MAX as usize;
/// Bytes taken at a time where a server sends the whole file only.
const STEP: usize = 1 << 20;

/// A file that is not open yet.
#[derive(FromPyObject)]
enum File<'py> {
    Source(Bound<'py, Source>),
    /// Of a web server, by its address.
    Web(Bound<'py, HubClient>, String),
}

/// The same without Python.
enum Reading {
    Source(Arc<dyn ByteSource>),
    Web(Box<crucible_hub::HubClient>, String),
}

impl Reading {
    fn size(&self) -> u64 {
        match self {
            Self::Source(source) => source.len(),
            Self::Web(..) => UNKNOWN,
        }
    }

    async fn read(&self) -> Result<Bytes, DataError> {
        match self {
            Self::Source(source) => whole(source).await,
            Self::Web(client, url) => from_web(client, url).await,
        }
    }
}

async fn whole(source: &Arc<dyn ByteSource>) -> Result<Bytes, DataError> {
    let (send, came) = tokio::sync::oneshot::channel();
    let ranges = std::iter::once(0..source.len()).collect::<Vec<_>>();
    let then = Box::new(move |read| drop(send.send(read)));
    let stopper = source.start_ranges(ranges.clone(), then);
    let read = if stopper.is_some() {
        came.await.map_err(|_| no_engine())?
    } else {
        let source = Arc::clone(source);
        tokio::task::spawn_blocking(move || source.read_ranges(&ranges)).await.map_err(|_| no_engine())?
    };
    Ok(read?.pop().unwrap_or_default())
}

async fn from_web(client: &crucible_hub::HubClient, url: &str) -> Result<Bytes, DataError> {
    let named = |error| failed(url.split(['?', '#']).next().unwrap_or_default(), error);
    let file = client.open_web(url).await.map_err(named)?;
    if file.ranges() {
        return file.read_range(0..file.len()).await.map_err(named);
    }
    let (mut stream, mut all) = (file.stream(0, None), BytesMut::new());
    while let Some(bytes) = stream.next(STEP).await.map_err(named)? {
        if bytes.is_empty() {
            break;
        }
        all.extend_from_slice(&bytes);
        if all.len() > MOST {
            let message = format!("a file of more than {MOST} bytes is no cell of a table");
            return Err(DataError::new(DataErrorKind::Limit, message).with_path(url));
        }
    }
    Ok(all.freeze())
}

/// Files on their way. Dropped before they are there, their reading stops.
#[pyclass(frozen, module = "_crucible._native")]
pub(crate) struct FilesAhead {
    files: Started<Vec<Bytes>>,
    _reading: Stopper,
    _share: Option<Share>,
}

#[pymethods]
impl FilesAhead {
    /// Starts to read whole files: opened ones, or addresses with their client. With `budget`, they are within what all
    /// streams of the process read ahead, of so many bytes at most; None where there is no room for them.
    #[staticmethod]
    #[pyo3(signature = (files, budget=None))]
    #[expect(clippy::needless_pass_by_value, reason = "extracted from a Python sequence")]
    fn start(files: Vec<File<'_>>, budget: Option<u64>) -> PyResult<Option<Self>> {
        let engine = engine()?;
        let readings = files
            .iter()
            .map(|file| match file {
                File::Source(source) => Ok(Arc::new(Reading::Source(Source::bytes(source)?))),
                File::Web(client, url) => {
                    Ok(Arc::new(Reading::Web(Box::new(client.get().live()?.patient()), url.clone())))
                }
            })
            .collect::<PyResult<Vec<_>>>()?;
        let size = readings.iter().map(|reading| reading.size()).fold(0, u64::saturating_add);
        let share = match budget {
            Some(budget) => match Share::take(size, budget.min(BUDGET)) {
                None => return Ok(None),
                share => share,
            },
            None => None,
        };
        let (promise, files) = door::promise()?;
        let task = engine.io.spawn(async move {
            let mut tasks = JoinSet::new();
            for (number, reading) in readings.iter().enumerate() {
                let reading = Arc::clone(reading);
                tasks.spawn(async move { (number, reading.read().await) });
            }
            let mut came = Vec::with_capacity(readings.len());
            while let Some(joined) = tasks.join_next().await {
                came.extend(joined); // one that panicked is missing
            }
            came.sort_unstable_by_key(|(number, _)| *number);
            promise.run(move |_| {
                if came.len() < readings.len() {
                    return Err(DataError::new(DataErrorKind::Internal, "a file was not read"));
                }
                let checked = came.into_iter().zip(&readings).map(|((_, bytes), reading)| {
                    let bytes = bytes?;
                    if let Reading::Source(source) = reading.as_ref() {
                        source.saw(0, &bytes)?; // its hash
                    }
                    Ok(bytes)
                });
                checked.collect::<Result<Vec<_>, DataError>>()
            });
        });
        let stopper = Box::new(HubStopper::new(task.abort_handle()));
        Ok(Some(Self { files, _reading: stopper, _share: share }))
    }

    /// The bytes of the files in their order, once; None in a forked child, where they will not come.
    fn wait<'py>(&self, py: Python<'py>) -> PyResult<Option<Vec<Bound<'py, PyBytes>>>> {
        let files = self.files.wait(py)?;
        Ok(files.map(|files| files.iter().map(|bytes| PyBytes::new(py, bytes)).collect()))
    }
}
