//! The layer with the images that end-to-end tests run, made to behave as the official ones do.

use std::collections::BTreeMap;

use super::kube::{self, Kube, config};
use super::store::{Batch, Store};
use super::{NodeImageRequest, fixtures, package_set, standins};
use crate::builder::Builder;
use crate::command::Run;
use crate::error::{Error, Result};
use crate::go::components_digest;
use crate::oci::ImageConfig;
use crate::recipe::Recipe;

const REVISION: u32 = 1;

/// References that the tests ask for, by what they name.
#[derive(Debug, Default, PartialEq, Eq)]
struct Wanted {
    agnhost: Vec<String>,
    busybox: Vec<String>,
    httpd: Vec<String>,
    nginx: Vec<String>,
    pause: Vec<String>,
}

impl Wanted {
    /// Picks from what `e2e.test --list-images` printed what is made here.
    fn from_list(list: &str) -> Self {
        let mut references: Vec<&str> = list
            .lines()
            .map(str::trim)
            .filter(|line| line.contains(':'))
            .collect();
        references.sort_unstable();
        references.dedup();
        let named = |suffix: &str| {
            references
                .iter()
                .filter(|reference| {
                    reference
                        .rsplit_once(':')
                        .is_some_and(|(name, _)| name.ends_with(suffix))
                })
                .map(|reference| (*reference).to_owned())
                .collect()
        };
        Self {
            agnhost: named("/e2e-test-images/agnhost"),
            busybox: named("/e2e-test-images/busybox"),
            httpd: named("/e2e-test-images/httpd"),
            nginx: named("/e2e-test-images/nginx"),
            pause: named("/pause"),
        }
    }
}

pub(super) async fn bake(
    builder: &Builder,
    request: &NodeImageRequest,
    kube: &Kube,
) -> Result<Store> {
    let e2e_test = request.source.e2e_test(builder, &request.version).await?;
    let list = Run::new(&e2e_test, builder.cache.root())
        .arg("--list-images")
        .output()
        .await?;
    let wanted = Wanted::from_list(&list);
    if wanted.agnhost.is_empty() {
        return Err(Error::malformed(
            format!("the list of images of {}", e2e_test.display()),
            "it names no agnhost",
        ));
    }
    let sets = ["agnhost", "busybox", "nginx"]
        .map(|name| package_set(name, request.arch).recipe().to_string());
    let key = Recipe::new("e2e-store", REVISION)
        .with("base", kube.entry.path("").as_os_str().as_encoded_bytes())
        .with(
            "components",
            components_digest(&["bake", "busybox", "pause", "coredns"]).as_str(),
        )
        .with("wanted", format!("{wanted:?}"))
        .with("agnhost", standins::agnhost_version(request).to_string())
        .with_all("packages", sets)
        .with_all("fixtures", fixtures::texts())
        .key();
    let what = format!(
        "images of the tests of {} ({})",
        request.version, request.arch
    );
    builder
        .store(&what, &key, request.arch, Some(kube.store()), async || {
            collect(builder, request, kube, wanted).await
        })
        .await
}

async fn collect(
    builder: &Builder,
    request: &NodeImageRequest,
    kube: &Kube,
    wanted: Wanted,
) -> Result<Batch> {
    let arch = request.arch;
    let mut batch = Batch::default();

    // CoreDNS' own image begins with the same layer, so agnhost's copy takes no room.
    let coredns = kube::coredns_layer(builder, request, &kube.requirements.coredns).await?;
    let (debian, _agnhost_packages) = builder.packages(&package_set("agnhost", arch)).await?;
    let own = standins::agnhost(builder, request, &debian).await?;
    let layers = [batch.layer(coredns), batch.layer(debian), batch.layer(own)];
    let agnhost_config = ImageConfig {
        entrypoint: vec!["/agnhost".to_owned()],
        cmd: vec!["pause".to_owned()],
        exposed_ports: ports(&["80/tcp", "8080/tcp", "8081/tcp", "9376/tcp", "5000/tcp"]),
        ..config()
    };
    batch.image(wanted.agnhost, agnhost_config, &layers);

    if !wanted.busybox.is_empty() {
        let (mut tree, _packages) = builder.packages(&package_set("busybox", arch)).await?;
        tree.overlay(standins::busybox(builder, request).await?);
        let layer = batch.layer(tree);
        batch.image(
            wanted.busybox,
            ImageConfig {
                cmd: vec!["sh".to_owned()],
                ..config()
            },
            &[layer],
        );
    }
    if !wanted.nginx.is_empty() {
        let (mut tree, _packages) = builder.packages(&package_set("nginx", arch)).await?;
        standins::nginx(&mut tree)?;
        let layer = batch.layer(tree);
        let nginx_config = ImageConfig {
            entrypoint: vec!["/docker-entrypoint.sh".to_owned()],
            cmd: ["nginx", "-g", "daemon off;"].map(str::to_owned).into(),
            exposed_ports: ports(&["80/tcp"]),
            stop_signal: "SIGQUIT".to_owned(),
            ..config()
        };
        if !wanted.httpd.is_empty() {
            let httpd_config = ImageConfig {
                cmd: vec!["httpd-foreground".to_owned()],
                exposed_ports: ports(&["80/tcp"]),
                working_dir: "/usr/local/apache2".to_owned(),
                stop_signal: "SIGQUIT".to_owned(),
                ..config()
            };
            let layers = [layer, batch.layer(standins::httpd())];
            batch.image(wanted.httpd, httpd_config, &layers);
        }
        batch.image(wanted.nginx, nginx_config, &[layer]);
    }
    // kubeadm's own is there already; a version may test with another.
    let known = kube.references();
    let others: Vec<String> = wanted
        .pause
        .into_iter()
        .filter(|reference| !known.contains(reference))
        .collect();
    for reference in others {
        let tag = reference
            .rsplit_once(':')
            .map_or("", |(_, tag)| tag)
            .to_owned();
        let (pause_config, tree) = kube::pause(builder, request, &tag).await?;
        let layer = batch.layer(tree);
        batch.image(vec![reference], pause_config, &[layer]);
    }
    Ok(batch)
}

fn ports(ports: &[&str]) -> BTreeMap<String, BTreeMap<String, String>> {
    ports
        .iter()
        .map(|port| ((*port).to_owned(), BTreeMap::new()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_are_chosen_by_name_whatever_their_tags() {
        let list = "registry.invalid/e2e-test-images/agnhost:2.63.0
registry.invalid/e2e-test-images/agnhost:2.55
other.invalid/k8s-authenticated-test/agnhost:2.6
registry.invalid/e2e-test-images/nginx:1.27-0
registry.invalid/pause:3.10.2
registry.invalid/pause:3.10.2
registry.invalid/e2e-test-images/busybox:1.37.0-1
";
        let wanted = Wanted::from_list(list);
        assert_eq!(wanted.agnhost.len(), 2);
        assert!(
            wanted
                .agnhost
                .iter()
                .all(|reference| reference.starts_with("registry.invalid"))
        );
        assert_eq!(wanted.pause, ["registry.invalid/pause:3.10.2"]);
        assert_eq!((wanted.nginx.len(), wanted.busybox.len()), (1, 1));
    }
}
