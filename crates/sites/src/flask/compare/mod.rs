//! Starts
use crate::compare::Software;
use clap::Args;
#[derive(Debug, Args)]
pub(super) struct CompareFlask {}
pub(super) fn software(
    _path: &std::path::Path,
    _options: &CompareFlask,
    _timeout: std::time::Duration,
) -> anyhow::Result<Software> {
    anyhow::bail!("")
}
