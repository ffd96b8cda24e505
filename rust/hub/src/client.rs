//! `HubClient`: settings and connections. Cheap to clone; holds no runtime.

use crate::config::HubConfig;
use crate::http::Http;

/// A client of one hub. Its calls are in `api`, `download` and `range`.
#[derive(Clone)]
pub struct HubClient {
    config: HubConfig,
    http: Http,
}

impl HubClient {
    /// A client over connections that may be shared with others.
    pub fn new(config: HubConfig, http: Http) -> Self {
        Self { config, http }
    }

    /// The settings.
    pub fn config(&self) -> &HubConfig {
        &self.config
    }

    pub(crate) fn http(&self) -> &Http {
        &self.http
    }
}
