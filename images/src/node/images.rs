//! How each image that tests run is put together: its layers, and what it runs by itself.

use std::collections::BTreeMap;

use super::programs::{self, config};
use super::wanted::tag;
use super::{NodeImageRequest, package_set, standins};
use crate::builder::Builder;
use crate::catalogue::Standin;
use crate::error::Result;
use crate::oci::ImageConfig;
use crate::tree::Tree;

/// Layers that several images begin with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Base {
    Nothing,
    /// Debian with agnhost's packages, and CoreDNS.
    Debian,
    Agnhost,
    Nginx,
}

/// One image.
pub(super) struct Image {
    pub(super) references: Vec<String>,
    pub(super) base: Base,
    /// What lies on the base.
    pub(super) own: Option<Tree>,
    pub(super) config: ImageConfig,
}

/// All images that one recipe makes for these references.
pub(super) async fn make(
    builder: &Builder,
    request: &NodeImageRequest,
    standin: Standin,
    references: &[String],
) -> Result<Vec<Image>> {
    let (base, own, config) = match standin {
        Standin::Etcd | Standin::Pause | Standin::SampleApiserver => {
            return by_tag(builder, request, standin, references).await;
        }
        Standin::Agnhost => (Base::Agnhost, None, agnhost("pause")),
        Standin::Kitten | Standin::Nautilus => {
            let name = if standin == Standin::Kitten {
                "kitten"
            } else {
                "nautilus"
            };
            let own = standins::pet(builder, request, name).await?;
            (Base::Agnhost, Some(own), agnhost("test-webserver"))
        }
        // Debian with dig and, as the official one, CoreDNS: just what agnhost stands on.
        Standin::GlibcDns => (Base::Debian, None, running(&["bash"])),
        Standin::Nonroot => {
            let config = ImageConfig {
                user: "1234".to_owned(),
                ..running(&["/bin/sh"])
            };
            (Base::Debian, None, config)
        }
        Standin::Nonewprivs => {
            let own = standins::nonewprivs(builder, request).await?;
            (Base::Debian, Some(own), running(&["nnp"]))
        }
        Standin::Busybox => {
            let packages = package_set("busybox", request.platform.arch());
            let (tree, _in_use) = builder.packages(&packages).await?;
            let tree = standins::busybox(builder, request, tree).await?;
            (Base::Nothing, Some(tree), running(&["sh"]))
        }
        Standin::Nginx => {
            let config = ImageConfig {
                entrypoint: vec!["/docker-entrypoint.sh".to_owned()],
                exposed_ports: ports(&["80/tcp"]),
                stop_signal: "SIGQUIT".to_owned(),
                ..running(&["nginx", "-g", "daemon off;"])
            };
            (Base::Nginx, None, config)
        }
        Standin::Httpd => {
            let config = ImageConfig {
                exposed_ports: ports(&["80/tcp"]),
                working_dir: "/usr/local/apache2".to_owned(),
                stop_signal: "SIGQUIT".to_owned(),
                ..running(&["httpd-foreground"])
            };
            (Base::Nginx, Some(standins::httpd()), config)
        }
    };
    Ok(vec![Image {
        references: references.to_owned(),
        base,
        own,
        config,
    }])
}

/// Images whose tag says of which version they are.
async fn by_tag(
    builder: &Builder,
    request: &NodeImageRequest,
    standin: Standin,
    references: &[String],
) -> Result<Vec<Image>> {
    let arch = request.platform.arch();
    let mut images = Vec::new();
    for reference in references {
        let (config, tree) = match standin {
            Standin::Etcd => programs::etcd(builder, arch, tag(reference)).await?,
            Standin::Pause => programs::pause(builder, arch, tag(reference)).await?,
            _ => programs::sample_apiserver(builder, request, tag(reference)).await?,
        };
        images.push(Image {
            references: vec![reference.clone()],
            base: Base::Nothing,
            own: Some(tree),
            config,
        });
    }
    Ok(images)
}

fn running(command: &[&str]) -> ImageConfig {
    ImageConfig {
        cmd: command.iter().map(|word| (*word).to_owned()).collect(),
        ..config()
    }
}

fn agnhost(command: &str) -> ImageConfig {
    ImageConfig {
        entrypoint: vec!["/agnhost".to_owned()],
        exposed_ports: ports(&["80/tcp", "8080/tcp", "8081/tcp", "9376/tcp", "5000/tcp"]),
        ..running(&[command])
    }
}

fn ports(ports: &[&str]) -> BTreeMap<String, BTreeMap<String, String>> {
    ports
        .iter()
        .map(|port| ((*port).to_owned(), BTreeMap::new()))
        .collect()
}
