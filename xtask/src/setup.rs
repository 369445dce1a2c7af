//! `cargo xtask setup`: the product's own `doctor --fix` and `images build` do the
//! work, so that what a developer gets is what a user gets.

use anyhow::Result;

use crate::run::{build, check, kcluster};

/// Brings the machine to where everything else works.
pub(crate) fn run() -> Result<()> {
    build()?;
    check(&mut kcluster(["doctor", "--fix"]))?;
    check(&mut kcluster(["images", "build"]))?;
    Ok(())
}
