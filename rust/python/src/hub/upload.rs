//! Uploads: files into the hub's store, and commits.

use std::path::PathBuf;

use bytes::Bytes;
use crucible_hub::{Addition, Change, CommitRequest, Content, Mode, UploadOptions};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;

use super::client::{HubClient, repo_ref};
use super::download::report;
use crate::door;

/// `bytes`, or the path of a local file.
#[derive(FromPyObject)]
enum Given {
    Bytes(PyBackedBytes),
    File(PathBuf),
}

impl Given {
    fn content(self) -> Content {
        match self {
            Self::Bytes(bytes) => Content::Bytes(Bytes::copy_from_slice(&bytes)),
            Self::File(path) => Content::File(path),
        }
    }
}

/// Whether the file is large, whether it is ignored, its bytes, its hash, the hash of what is there.
type Plan = (bool, bool, u64, String, Option<String>);

/// `file`, `lfsFile`, `deletedFile` or `deletedFolder`; path; content, or oid and size.
type Line = (String, String, Option<Given>, Option<String>, Option<u64>);

fn change((kind, path, content, oid, size): Line) -> PyResult<Change> {
    match (kind.as_str(), content, oid) {
        ("file", Some(content), None) => Ok(Change::Regular(Addition { path, content: content.content() })),
        ("lfsFile", None, Some(oid)) => Ok(Change::Large { path, oid, size }),
        ("deletedFile", None, None) => Ok(Change::DeletedFile(path)),
        ("deletedFolder", None, None) => Ok(Change::DeletedFolder(path)),
        _ => Err(PyValueError::new_err(format!("{kind:?} of {path:?} is no change of a commit"))),
    }
}

#[pymethods]
impl HubClient {
    #[pyo3(signature = (
        kind, repo_id, additions, revision=None, *, create_pr=false, gitignore=None, connections=5, progress=None
    ))]
    #[expect(clippy::too_many_arguments, reason = "the official signature")]
    fn upload_files(
        &self,
        py: Python<'_>,
        kind: &str,
        repo_id: &str,
        additions: Vec<(String, Given)>,
        revision: Option<&str>,
        create_pr: bool,
        gitignore: Option<String>,
        connections: usize,
        progress: Option<Py<PyAny>>,
    ) -> PyResult<Vec<Plan>> {
        let repo = repo_ref(kind, repo_id, revision)?;
        let live = self.live()?;
        let files: Vec<Addition> =
            additions.into_iter().map(|(path, given)| Addition { path, content: given.content() }).collect();
        let connections = connections.clamp(1, 64);
        let options = UploadOptions { create_pr, gitignore, connections, ..UploadOptions::default() };
        let work = async {
            let planned = live.plan_upload(&repo, &files, &options).await?;
            live.upload_large(&repo, &files, &planned, &options).await?;
            Ok::<_, crucible_hub::HubError>(planned)
        };
        let planned = door::wait_with(py, work, report(options.progress.clone(), progress))?;
        Ok(planned
            .into_iter()
            .map(|plan| (plan.mode == Mode::Large, plan.ignored, plan.size, plan.hash, plan.present))
            .collect())
    }

    #[pyo3(signature = (
        kind, repo_id, changes, revision=None, *, summary, description="", parent=None, create_pr=false
    ))]
    #[expect(clippy::too_many_arguments, reason = "the official signature")]
    fn commit(
        &self,
        py: Python<'_>,
        kind: &str,
        repo_id: &str,
        changes: Vec<Line>,
        revision: Option<&str>,
        summary: String,
        description: &str,
        parent: Option<String>,
        create_pr: bool,
    ) -> PyResult<(String, String, Option<String>)> {
        let repo = repo_ref(kind, repo_id, revision)?;
        let live = self.live()?;
        let changes = changes.into_iter().map(change).collect::<PyResult<Vec<_>>>()?;
        let request =
            CommitRequest { summary, description: description.to_owned(), parent, create_pr, changes };
        let made = door::wait(py, live.commit(&repo, request))?;
        Ok((made.url, made.oid, made.pr_url))
    }
}
