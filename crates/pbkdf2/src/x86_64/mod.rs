//! Kernels of x86-64 processors.

mod avx2;
mod avx512;
mod lanes;
mod sha_ni;
mod sha_ni_sha1;
mod sha_ni_sha256;

pub(crate) use avx2::Avx2;
pub(crate) use avx512::Avx512;
pub(crate) use sha_ni::ShaNi;
