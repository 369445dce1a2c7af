//! A folder of packages, for programs that get it as their root.

use std::collections::BTreeMap;
use std::path::Path;

use fs_err as fs;

use super::{PackageSet, finish};
use crate::builder::{Builder, host_arch};
use crate::cache::blocking;
use crate::catalogue::{Catalogue, Packages};
use crate::error::Result;
use crate::oci::Layer;
use crate::tree::Tree;

impl Builder {
    /// Unpacks Debian packages, and all that they need, for this machine's architecture into the new folder `to`,
    /// with symbolic links that their maintainer scripts would have made. Nothing of the machine's own packages changes.
    ///
    /// # Errors
    /// When something cannot be fetched or written, or is not signed as it should be.
    pub async fn package_root(
        &self,
        include: Vec<String>,
        links: BTreeMap<String, String>,
        to: &Path,
    ) -> Result<()> {
        fs::create_dir_all(to)?;
        let work = tempfile::tempdir_in(to.parent().unwrap_or(to))?;
        let (raw, finished) = (work.path().join("raw.tar"), work.path().join("root.tar"));
        let packages = Packages {
            include,
            links,
            ..Packages::default()
        };
        let set = PackageSet {
            name: "a root of their own",
            packages: &packages,
            arch: host_arch()?,
        };
        let suite = &Catalogue::get().debian.suite;
        self.extract(&set, suite, work.path(), &raw).await?;
        let tree = finish::finish(Tree::from_tar(&raw)?, &packages)?;
        Layer::save(tree, &finished).await?;
        let to = to.to_owned();
        blocking(move || {
            let mut archive = tar::Archive::new(fs::File::open(&finished)?);
            archive.set_preserve_permissions(true);
            Ok(archive.unpack(&to)?)
        })
        .await
    }
}
