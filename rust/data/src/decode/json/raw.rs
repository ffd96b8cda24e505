//! Places of a row that are kept as JSON text, since their values have no common type: the `Json` feature.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value, json};

/// One step from a row to a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Into a key of an object.
    Key(Box<str>),
    /// Into the items of a list.
    Items,
}

/// From a row to a value.
pub(super) type Path = Vec<Step>;

/// The places below one place.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Raw {
    whole: bool,
    keys: BTreeMap<Box<str>, Arc<Raw>>,
    items: Option<Arc<Raw>>,
}

impl Raw {
    /// Adds a place; whether it is new.
    pub(super) fn insert(&mut self, path: &[Step]) -> bool {
        if self.whole {
            return false;
        }
        match path.split_first() {
            None => {
                *self = Self { whole: true, ..Self::default() };
                true
            }
            Some((Step::Key(key), rest)) => {
                Arc::make_mut(self.keys.entry(key.clone()).or_default()).insert(rest)
            }
            Some((Step::Items, rest)) => Arc::make_mut(self.items.get_or_insert_default()).insert(rest),
        }
    }

    /// Adds all places of another.
    pub(super) fn absorb(&mut self, other: &Self) {
        for place in other.places() {
            self.insert(&place);
        }
    }

    /// All places.
    pub(super) fn places(&self) -> Vec<Path> {
        let mut found = Vec::new();
        self.collect(&mut Vec::new(), &mut found);
        found
    }

    fn collect(&self, path: &mut Path, found: &mut Vec<Path>) {
        if self.whole {
            found.push(path.clone());
        }
        let items = self.items.iter().map(|below| (Step::Items, below));
        let keys = self.keys.iter().map(|(key, below)| (Step::Key(key.clone()), below));
        for (step, below) in keys.chain(items) {
            path.push(step);
            below.collect(path, found);
            path.pop();
        }
    }

    /// Whether there is no such place.
    pub(super) fn is_empty(&self) -> bool {
        !self.whole && self.keys.is_empty() && self.items.is_none()
    }

    /// Whether the place itself is one.
    pub(super) fn whole(&self) -> bool {
        self.whole
    }

    pub(super) fn key(&self, key: &str) -> Option<&Arc<Self>> {
        self.keys.get(key)
    }

    pub(super) fn items(&self) -> Option<&Arc<Self>> {
        self.items.as_ref()
    }

    /// The places that features call `Json`.
    pub(super) fn of_features(features: &Value) -> Self {
        let mut raw = Self::default();
        let Value::Object(map) = features else { return raw };
        match map.get("_type").and_then(Value::as_str) {
            Some("Json") => raw.whole = true,
            Some(_) => {
                let inner = map.get("feature").map(Self::of_features).filter(|r| !r.is_empty());
                raw.items = inner.map(Arc::new);
            }
            None => {
                let found = map.iter().map(|(k, v)| (k.as_str().into(), Self::of_features(v)));
                raw.keys = found.filter(|(_, r)| !r.is_empty()).map(|(k, r)| (k, Arc::new(r))).collect();
            }
        }
        raw
    }

    /// Calls these places `Json` in features that were made from types.
    pub(super) fn mark(&self, feature: &mut Value) {
        if self.whole {
            *feature = json!({"_type": "Json"});
            return;
        }
        for (key, below) in &self.keys {
            if let Some(inner) = feature.get_mut(key.as_ref()) {
                below.mark(inner);
            }
        }
        if let (Some(below), Some(inner)) = (&self.items, feature.get_mut("feature")) {
            below.mark(inner);
        }
    }
}
