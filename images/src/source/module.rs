//! Kubernetes built from Go modules, or from a revision's tree.

use std::os::unix::fs::symlink;
use std::path::PathBuf;

use fs_err as fs;
use kcluster_matrix::{Arch, KubeVersion};

use super::Binaries;
use crate::builder::Builder;
use crate::error::Result;
use crate::go::{Bundle, KubernetesModule, Product};
use crate::recipe::Recipe;

/// One binary under many names.
pub(super) async fn of_one(
    builder: &Builder,
    module: &KubernetesModule,
    bundle: Bundle,
    arch: Arch,
) -> Result<Binaries> {
    let product = Product::Commands(bundle);
    let entry = module.entry(builder, product, arch).await?;
    let binary = entry.path(product.binary());
    Ok(Binaries {
        files: bundle
            .names()
            .iter()
            .map(|name| ((*name).to_owned(), binary.clone()))
            .collect(),
        _entries: vec![entry],
    })
}

pub(super) async fn test_programs(
    builder: &Builder,
    module: &KubernetesModule,
    arch: Arch,
) -> Result<Binaries> {
    let mut binaries = Binaries {
        files: [].into(),
        _entries: Vec::new(),
    };
    for product in [Product::E2eTest, Product::Ginkgo] {
        let entry = module.entry(builder, product, arch).await?;
        binaries
            .files
            .insert(product.binary().to_owned(), entry.path(product.binary()));
        binaries._entries.push(entry);
    }
    Ok(binaries)
}

/// A link by that name to a binary that goes by the name it is called by: to the smaller one, which starts in less
/// processor time, and tests start it thousands of times.
pub(super) async fn kubectl(
    builder: &Builder,
    module: &KubernetesModule,
    version: &KubeVersion,
    arch: Arch,
) -> Result<Binaries> {
    let plumbing = of_one(builder, module, Bundle::Plumbing, arch).await?;
    let target = &plumbing.files["kubectl"];
    let recipe =
        Recipe::new("kubectl-link", 1).with("target", target.as_os_str().as_encoded_bytes());
    let entry = builder
        .cache
        .get(
            ("kubectl", &recipe.key()),
            &format!("kubectl {version}"),
            &*builder.sink,
            async |dir: PathBuf| {
                let link = dir.join("kubectl");
                symlink(target, &link).map_err(|error| {
                    std::io::Error::new(
                        error.kind(),
                        format!("failed to link {}: {error}", link.display()),
                    )
                })?;
                Ok(())
            },
        )
        .await?;
    let link = entry.path("kubectl");
    // A cache that was pruned in between has the link but not what it leads to.
    fs::metadata(&link)?;
    let mut entries = plumbing._entries;
    entries.push(entry);
    Ok(Binaries {
        files: [("kubectl".to_owned(), link)].into(),
        _entries: entries,
    })
}
