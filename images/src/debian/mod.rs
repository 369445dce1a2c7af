//! File trees from signed Debian packages, without running anything that is in them.

mod finish;
mod mirror;
mod root;
mod rootfs;

pub(crate) use mirror::Mirrors;
pub(crate) use rootfs::PackageSet;
