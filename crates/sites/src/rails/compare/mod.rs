//! Starts a Rails site's own Ruby.
use crate::compare::Software;
use clap::Args;
use std::path::Path;
use std::time::Duration;
#[derive(Debug, Args)]
pub(super) struct CompareRails {}
pub(super) fn software(
    _: &Path,
    _: &CompareRails,
    _: &serde_json::Value,
    _: Duration,
) -> anyhow::Result<Software> {
    anyhow::bail!("x")
}
