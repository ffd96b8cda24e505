//! `Along`: the hash of a file that is read from its start to its end by ranges, made along the way.

use std::ops::Range;

use bytes::Bytes;

use crate::download::verify::Verifier;
use crate::error::{HubError, HubErrorKind};
use crate::place::Target;
use crate::range::RemoteFile;

/// Hashes what comes as long as it comes in order. Who reads elsewhere, as readers of Parquet do, is not checked.
pub struct Along {
    file: RemoteFile,
    verifier: Option<Verifier>,
    promised: String,
    size: u64,
    /// Bytes that are hashed.
    at: u64,
}

impl RemoteFile {
    /// For a file of the hub whose name is its hash, unless the client's settings want none.
    pub fn along(&self) -> Option<Along> {
        if !self.client().config().stream_hashes {
            return None;
        }
        let Target::Hub { .. } = self.place().target() else {
            return None; // web servers name contents as they like
        };
        let (size, promised) = (self.size()?, self.etag().filter(|e| Verifier::is_hash(e))?.to_owned());
        let verifier = Some(Verifier::new(&promised, Some(size)));
        Some(Along { file: self.clone(), verifier, promised, size, at: 0 })
    }
}

impl Along {
    /// Bytes that came, from a position on.
    ///
    /// # Errors
    /// `Integrity` when these were the last and the file has another hash.
    pub fn saw(&mut self, start: u64, bytes: &Bytes) -> Result<(), HubError> {
        let Range { start, end } = start..start + bytes.len() as u64;
        if start > self.at {
            self.verifier = None;
        }
        let (Some(verifier), true) = (self.verifier.as_mut(), end > self.at) else {
            return Ok(());
        };
        verifier.update(bytes.get((self.at - start) as usize..).unwrap_or_default());
        self.at = end;
        if end < self.size {
            return Ok(());
        }
        match self.verifier.take().and_then(Verifier::finish) {
            Some(found) if found != self.promised => {
                let place = self.file.place();
                let name = place.target().shown();
                let message =
                    format!("{name}: the hash of what came is {found}, {} was promised", self.promised);
                let error = place.about(HubErrorKind::Integrity, message);
                Err(error.of_hashes(&self.promised, &found).of_range(&(0..self.size), &name).with_hint(
                    "Rows of this file that came before may be wrong: a proxy or mirror in between may be damaged.",
                ))
            }
            _ => Ok(()),
        }
    }
}
