//! Builds the configuration of a Express site
use crate::init::Page;
use clap::Args;
#[derive(Debug, Args)]
pub(super) struct DiscoverExpress {
    /// x
    path: std::path::PathBuf,
}
pub(super) fn write(_page: &mut Page, _options: &DiscoverExpress) -> anyhow::Result<()> {
    Ok(())
}
