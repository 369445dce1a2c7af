//! Which images tests name, and where ours come from.

use std::collections::BTreeMap;

use kcluster_matrix::KubeVersion;

use super::wanted::Wanted;
use crate::builder::Builder;
use crate::catalogue::{Catalogue, Standin};
use crate::error::Result;
use crate::source::Source;

/// An image that tests name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TestImage {
    /// Its official name and tag.
    pub reference: String,
    /// What stands for it in a node image.
    pub made: Made,
}

/// Where an image in a node comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Made {
    /// Built from this.
    From(&'static str),
    /// Not made: no conformance spec runs it.
    Unused,
    /// Not made, though a conformance spec may run it.
    Unknown,
}

impl Standin {
    /// What is built for it.
    fn source(self) -> &'static str {
        match self {
            Self::Agnhost => {
                "Go module k8s.io/kubernetes, test/images/agnhost, on Debian packages and CoreDNS"
            }
            Self::Busybox => "Debian package busybox, with sh and env from a Go module",
            Self::Etcd => "Go module go.etcd.io/etcd",
            Self::GlibcDns => "Debian packages, with CoreDNS",
            Self::Httpd => "Debian package nginx, laid out as httpd",
            Self::Kitten | Self::Nautilus => "Go module k8s.io/kubernetes, test/images",
            Self::Nginx => "Debian package nginx",
            Self::Nonewprivs => "Go module k8s.io/kubernetes, test/images/nonewprivs",
            Self::Nonroot => "Debian packages, run as user 1234",
            Self::Pause => "kcluster's own main, images/components/pause",
            Self::SampleApiserver => "Go module k8s.io/sample-apiserver",
        }
    }
}

impl Builder {
    /// The images that the tests of `version` name, by name.
    ///
    /// # Errors
    /// When the tests of this version cannot be built, or do not say.
    pub async fn test_images(
        &self,
        source: &Source,
        version: &KubeVersion,
    ) -> Result<Vec<TestImage>> {
        let list = source.test_image_names(self, version).await?;
        Ok(listed(Wanted::from_list(
            &list,
            &Catalogue::get().tests,
            &[],
        )))
    }
}

fn listed(wanted: Wanted) -> Vec<TestImage> {
    let mut all: BTreeMap<String, Made> = BTreeMap::new();
    for (standin, references) in wanted.images {
        let made = Made::From(standin.source());
        all.extend(references.into_iter().map(|reference| (reference, made)));
    }
    all.extend(wanted.unused.into_iter().map(|image| (image, Made::Unused)));
    all.extend(
        wanted
            .unknown
            .into_iter()
            .map(|image| (image, Made::Unknown)),
    );
    all.into_iter()
        .map(|(reference, made)| TestImage { reference, made })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_name_is_listed_once_with_what_becomes_of_it() {
        let names = "r.invalid/e2e-test-images/nginx:1\nr.invalid/e2e-test-images/nginx:1\n\
                     r.invalid/e2e-test-images/perl:1\nr.invalid/e2e-test-images/brand-new:1\n";
        let wanted = Wanted::from_list(names, &Catalogue::get().tests, &[]);
        let made: Vec<Made> = listed(wanted).iter().map(|image| image.made).collect();
        assert_eq!(
            made,
            [
                Made::Unknown,
                Made::From("Debian package nginx"),
                Made::Unused
            ]
        );
    }
}
