//! Which places must be JSON text, seen over all chunks and files.

use std::collections::HashMap;

use arrow_schema::{DataType, Field, Fields};

use super::Chunk;
use super::raw::{Path, Step};
use crate::decode::unify;

/// The keys of each kind of object in the head of the first file.
#[derive(Default)]
pub(super) struct Keys(HashMap<String, Vec<Box<str>>>);

impl Keys {
    /// Adds more of them; gives the places of objects whose keys differ, and of those without keys, as `datasets` does:
    /// later objects there may have some, and Parquet has no structs without fields.
    pub(super) fn differing<'a>(
        &mut self,
        more: impl Iterator<Item = &'a (Path, Option<Vec<Box<str>>>)>,
    ) -> Vec<Path> {
        let differs = |(path, same): &&(Path, Option<Vec<Box<str>>>)| match same {
            None => true,
            Some(names) if names.is_empty() => true,
            Some(names) => self.0.entry(format!("{path:?}")).or_insert_with(|| names.clone()) != names,
        };
        more.filter(differs).map(|(path, _)| path.clone()).collect()
    }
}

/// Places that chunks found mixed, objects whose keys differ in the head of the first file (the first `heads` sources),
/// and columns whose types in different chunks have no common one.
pub(super) fn places(files: &[Vec<Chunk>], heads: usize) -> Vec<Path> {
    let mut found: Vec<Path> = files.iter().flatten().flat_map(|c| c.mixed.iter().cloned()).collect();
    found.extend(Keys::default().differing(head_keys(files, heads)));
    if found.is_empty() {
        let mut known: Vec<Field> = Vec::new();
        for chunk in files.iter().flatten() {
            let schema = chunk.batch.schema();
            let before = found.len();
            between(&known, schema.fields(), &mut Vec::new(), &mut found);
            if found.len() == before && unify::merge(&mut known, schema.fields()).is_err() {
                break; // the same conflict is reported with its file when the batches are put together
            }
        }
    }
    found
}

/// The keys of objects in the head of the first file.
pub(super) fn head_keys(
    files: &[Vec<Chunk>],
    heads: usize,
) -> impl Iterator<Item = &(Path, Option<Vec<Box<str>>>)> {
    files.iter().take(heads).flatten().filter(|c| c.head).flat_map(|c| &c.facts.keys)
}

/// Places at which columns have no common type.
pub(super) fn between(known: &[Field], more: &Fields, path: &mut Path, found: &mut Vec<Path>) {
    // Made for the first name that is not at its place: a search for each of many names would take for ever.
    let mut names: Option<HashMap<&str, &Field>> = None;
    for (position, field) in more.iter().enumerate() {
        let old = match known.get(position) {
            Some(same) if same.name() == field.name() => Some(same),
            _ => {
                let all = || known.iter().rev().map(|k| (k.name().as_str(), k)).collect();
                names.get_or_insert_with(all).get(field.name().as_str()).copied()
            }
        };
        if let Some(old) = old {
            path.push(Step::Key(field.name().as_str().into()));
            conflict(old.data_type(), field.data_type(), path, found);
            path.pop();
        }
    }
}

fn conflict(a: &DataType, b: &DataType, path: &mut Path, found: &mut Vec<Path>) {
    match (a, b) {
        (DataType::Struct(a), DataType::Struct(b)) => {
            let known: Vec<Field> = a.iter().map(|f| f.as_ref().clone()).collect();
            between(&known, b, path, found);
        }
        (DataType::List(a), DataType::List(b)) => {
            path.push(Step::Items);
            conflict(a.data_type(), b.data_type(), path, found);
            path.pop();
        }
        _ if unify::widened(a, b).is_err() => found.push(path.clone()),
        _ => {}
    }
}
