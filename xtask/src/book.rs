//! `cargo xtask book`: the book, by the crate that makes it.

use anyhow::Result;

use crate::run::{cargo, check, root};

/// Makes the book and tells where it is.
pub(crate) fn run() -> Result<()> {
    let folder = root().join("target/book");
    check(
        cargo()
            .args(["run", "--locked", "--quiet", "--package", "kcluster-book"])
            .arg("--")
            .arg(&folder),
    )?;
    eprintln!("{}/index.html", folder.display());
    Ok(())
}
