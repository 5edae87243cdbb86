//! Builds the configuration of a Flask site from what the site's own Python reports.
use crate::init::Page;
use clap::Args;
#[derive(Debug, Args)]
pub(super) struct DiscoverFlask {
    /// x
    path: std::path::PathBuf,
}
pub(super) fn write(_page: &mut Page, _options: &DiscoverFlask) -> anyhow::Result<()> {
    Ok(())
}
