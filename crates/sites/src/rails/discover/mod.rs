//! Builds the configuration of a Rails site from its own files. Ruby is not run.
use crate::init::Page;
use clap::Args;
use std::path::PathBuf;
/// Of a Rails site, by reading its config directory
#[derive(Debug, Args)]
pub(super) struct DiscoverRails {
    /// The application's directory
    path: PathBuf,
}
pub(super) fn write(_page: &mut Page, options: &DiscoverRails) -> anyhow::Result<()> {
    anyhow::bail!("{}", options.path.display())
}
