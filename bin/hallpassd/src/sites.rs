//! The sites that one daemon serves, by their names.

use std::sync::Arc;

use crate::metrics::Metrics;
use crate::site::Site;

/// The sites, in the order of the configuration files.
#[derive(Debug)]
pub struct Sites {
    all: Vec<Arc<Site>>,
    pub metrics: Metrics,
}

impl Sites {
    /// These sites, and what is counted of them.
    pub fn new(all: Vec<Arc<Site>>, metrics: Metrics) -> Self {
        Self { all, metrics }
    }

    /// All of them.
    pub fn all(&self) -> &[Arc<Site>] {
        &self.all
    }

    /// The site that the first part of `path` names, and the rest of it: of `/shop/auth` the site
    /// called shop and `/auth`.
    pub fn named<'a>(&self, path: &'a str) -> Option<(&Arc<Site>, &'a str)> {
        let (name, rest) = path.strip_prefix('/')?.split_once('/')?;
        let site = self
            .all
            .iter()
            .find(|site| !name.is_empty() && site.name() == name)?;
        let rest = path.get(path.len() - rest.len() - 1..)?;
        Some((site, rest))
    }
}
