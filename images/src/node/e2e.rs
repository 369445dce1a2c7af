//! The layer with the images that end-to-end tests run, made to behave as the official ones do.

use futures_util::future::try_join_all;
use kcluster_matrix::EventKind;

use super::images::{Base, make};
use super::kube::Kube;
use super::programs::coredns_layer;
use super::store::{Batch, Store};
use super::wanted::Wanted;
use super::{NodeImageRequest, fixtures, package_set, standins};
use crate::builder::Builder;
use crate::catalogue::{Catalogue, Standin};
use crate::error::{Error, Result};
use crate::go::components_digest;
use crate::recipe::Recipe;

/// To be raised when the code that makes these images makes others of the same parts.
pub(super) const REVISION: u32 = 3;

pub(super) async fn bake(
    builder: &Builder,
    request: &NodeImageRequest,
    kube: &Kube,
) -> Result<Store> {
    let list = request
        .source
        .test_image_names(builder, &request.version)
        .await?;
    // kubeadm's own images are there already; a version may test with others.
    let wanted = Wanted::from_list(&list, &Catalogue::get().tests, &kube.references());
    if !wanted.images.contains_key(&Standin::Agnhost) {
        return Err(Error::malformed(
            format!("the list of images of the tests of {}", request.version),
            "it names no agnhost",
        ));
    }
    for reference in &wanted.unknown {
        let text = format!(
            "{reference} is named by the tests of {}, and nothing here makes it: specs that run it will wait for it and fail",
            request.version
        );
        builder.sink.emit(EventKind::Note { text });
    }
    let arch = request.platform.arch();
    let sets =
        ["agnhost", "busybox", "nginx"].map(|name| package_set(name, arch).recipe().to_string());
    let key = Recipe::new("e2e-store", REVISION)
        .with("base", kube.entry.path("").as_os_str().as_encoded_bytes())
        .with(
            "components",
            components_digest(&[
                "bake",
                "busybox",
                "pause",
                "coredns",
                "etcd",
                "sample-apiserver",
            ])
            .as_str(),
        )
        .with("wanted", format!("{:?}", wanted.images))
        .with("agnhost", standins::agnhost_version(request).to_string())
        .with_all("packages", sets)
        .with_all("fixtures", fixtures::texts())
        .key();
    let what = format!("images of the tests of {} ({arch})", request.version);
    builder
        .store(
            &what,
            &key,
            (arch, request.platform.machine()),
            &[kube.store()],
            async || collect(builder, request, kube, &wanted).await,
        )
        .await
}

async fn collect(
    builder: &Builder,
    request: &NodeImageRequest,
    kube: &Kube,
    wanted: &Wanted,
) -> Result<Batch> {
    let arch = request.platform.arch();
    let agnhost_packages = package_set("agnhost", arch);
    let nginx_packages = package_set("nginx", arch);
    let needs_nginx = [Standin::Nginx, Standin::Httpd]
        .iter()
        .any(|standin| wanted.images.contains_key(standin));
    let making = wanted
        .images
        .iter()
        .map(|(standin, references)| make(builder, request, *standin, references));
    let (coredns, (debian, _in_use), agnhost, nginx, made) = tokio::try_join!(
        coredns_layer(builder, arch, &kube.requirements.coredns),
        builder.packages(&agnhost_packages),
        standins::agnhost(builder, request),
        async {
            if !needs_nginx {
                return Ok(None);
            }
            let (mut tree, _in_use) = builder.packages(&nginx_packages).await?;
            standins::nginx(&mut tree)?;
            Ok(Some(tree))
        },
        try_join_all(making),
    )?;

    let mut batch = Batch::default();
    let agnhost = standins::with_agnhosts_users(agnhost, &debian)?;
    // CoreDNS' own image begins with the same layer, so agnhost's copy takes no room.
    let debian = [batch.layer(coredns), batch.layer(debian)];
    let agnhost = [debian[0], debian[1], batch.layer(agnhost)];
    let nginx: Vec<usize> = nginx.into_iter().map(|tree| batch.layer(tree)).collect();
    for image in made.into_iter().flatten() {
        let mut layers = match image.base {
            Base::Nothing => Vec::new(),
            Base::Debian => debian.to_vec(),
            Base::Agnhost => agnhost.to_vec(),
            Base::Nginx => nginx.clone(),
        };
        layers.extend(image.own.map(|tree| batch.layer(tree)));
        batch.image(image.references, image.config, &layers);
    }
    Ok(batch)
}
