//! Unpacks Debian packages of the nodes' own release, with all they need, into a folder:
//! `cargo run -p kcluster-images --example package_root -- FOLDER PACKAGE… [PATH=TARGET…]`;
//! the last are symbolic links to be made in it.
#![allow(clippy::print_stderr, reason = "an example shows what it does")]

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use kcluster_images::{Builder, Cache, Settings};
use kcluster_matrix::{EventKind, Sink};

struct Lines;

impl Sink for Lines {
    fn emit(&self, kind: EventKind) {
        if let EventKind::Note { text } | EventKind::Warning { text } = kind {
            eprintln!("{text}");
        }
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args().skip(1);
    let folder = args.next().ok_or("into which folder?")?;
    let (mut packages, mut links) = (Vec::new(), BTreeMap::new());
    for arg in args {
        match arg.split_once('=') {
            Some((path, target)) => {
                links.insert(path.to_owned(), target.to_owned());
            }
            None => packages.push(arg),
        }
    }
    let cache = Cache::from_environment()?;
    let settings = Settings {
        debian_mirror: std::env::var("KCLUSTER_DEBIAN_MIRROR")
            .ok()
            .filter(|mirror| !mirror.is_empty()),
        ..Settings::default()
    };
    let builder = Builder::new(cache, settings, Arc::new(Lines));
    let root = Path::new(&folder);
    Ok(builder.package_root(packages, links, root).await?)
}
