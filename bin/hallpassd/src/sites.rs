//! Holds the sites that the daemon serves, as the configurations last read describe them.

use std::sync::{Arc, PoisonError, RwLock};

use crate::site::ServedSite;
use crate::watch::Watch;

/// The sites, in the order of their configuration files. There is at least one.
#[derive(Debug)]
pub struct Sites {
    first: Arc<ServedSite>,
    all: Vec<Arc<ServedSite>>,
}

impl Sites {
    /// These sites; `None` where there is none.
    pub fn new(all: Vec<ServedSite>) -> Option<Self> {
        let all: Vec<_> = all.into_iter().map(Arc::new).collect();
        let first = Arc::clone(all.first()?);
        Some(Self { first, all })
    }

    /// All of them.
    pub fn all(&self) -> &[Arc<ServedSite>] {
        &self.all
    }

    /// The site of the first configuration file.
    pub fn first(&self) -> &Arc<ServedSite> {
        &self.first
    }

    /// The site of the configuration file with this `number`, from 0.
    pub fn get(&self, number: usize) -> &Arc<ServedSite> {
        self.all.get(number).unwrap_or(&self.first)
    }

    /// What is watched of the site called `name`; of a site without one, the `number` must be the
    /// same.
    pub fn watch(&self, number: usize, name: Option<&str>) -> Option<Arc<Watch>> {
        let mut sites = self.all.iter().enumerate();
        let (_, site) = sites.find(|(place, site)| match name {
            Some(name) => site.name() == name,
            None => *place == number && site.name().is_empty(),
        })?;
        Some(Arc::clone(&site.watch))
    }

    /// Watches what was let in as the configurations of these sites say.
    fn begin_watching(&self) {
        for site in &self.all {
            site.watch.serve(&site.configuration);
        }
    }

    /// The site that the first part of `path` names, and the rest of it: of `/shop/auth` the site
    /// called shop and `/auth`.
    pub fn named<'a>(&self, path: &'a str) -> Option<(&Arc<ServedSite>, &'a str)> {
        let (name, rest) = path.strip_prefix('/')?.split_once('/')?;
        let site = self
            .all
            .iter()
            .find(|site| !name.is_empty() && site.name() == name)?;
        let rest = path.get(path.len() - rest.len() - 1..)?;
        Some((site, rest))
    }
}

/// The sites that are served now. A request keeps those that it began with.
#[derive(Debug)]
pub struct CurrentSites(RwLock<Arc<Sites>>);

impl CurrentSites {
    /// Serves `sites`.
    pub fn new(sites: Sites) -> Self {
        sites.begin_watching();
        Self(RwLock::new(Arc::new(sites)))
    }

    /// Those that are served now.
    pub fn get(&self) -> Arc<Sites> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Serves `sites` from now on.
    pub fn replace(&self, sites: Sites) {
        sites.begin_watching();
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(sites);
    }
}
