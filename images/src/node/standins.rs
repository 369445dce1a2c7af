//! File trees of the images that tests run. They must behave to the letter as the official ones do.

use kcluster_matrix::KubeVersion;

use super::{NodeImageRequest, fixtures};
use crate::builder::Builder;
use crate::catalogue::known_versions;
use crate::error::Result;
use crate::go::{Component, KubernetesModule, Product};
use crate::source::Source;
use crate::tree::{Kind, Tree};

/// The version whose sources agnhost is built from: not every source has them.
pub(super) fn agnhost_version(request: &NodeImageRequest) -> KubeVersion {
    let known = known_versions();
    match &request.source {
        Source::Module => request.version.clone(),
        _ => known
            .iter()
            .find(|version| version.minor() == request.version.minor())
            .or_else(|| known.iter().max())
            .unwrap_or(&request.version)
            .clone(),
    }
}

/// What agnhost's Dockerfile lays on its base.
pub(super) async fn agnhost(
    builder: &Builder,
    request: &NodeImageRequest,
    base: &Tree,
) -> Result<Tree> {
    let module = KubernetesModule::prepare(builder, &agnhost_version(request)).await?;
    let binary = module
        .build(builder, Product::Agnhost, request.arch)
        .await?;
    let porter = module.sources.join("test/images/agnhost/porter");
    let mut tree = Tree::default();
    tree.file("agnhost", 0o755, &binary)?;
    tree.symlink("agnhost-2", "agnhost");
    for name in ["localhost.crt", "localhost.key"] {
        tree.file(name, 0o644, &porter.join(name))?;
    }
    tree.dir("uploads", 0o755);
    accounts(
        base,
        &mut tree,
        "user-defined-in-image:x:1000:1000::/home/user-defined-in-image:/bin/sh\n",
        "user-defined-in-image:x:1000:\ngroup-defined-in-image:x:50000:user-defined-in-image\n",
    )?;
    tree.dir("home/user-defined-in-image", 0o755);
    Ok(tree)
}

/// The shell and `env` that keep odd environment variables; see components/busybox.
pub(super) async fn busybox(builder: &Builder, request: &NodeImageRequest) -> Result<Tree> {
    let component = Component {
        name: "busybox",
        title: "sh and env for busybox".to_owned(),
        requires: None,
        programs: &[(".", "sh")],
        tags: &[],
        ldflags: String::new(),
    };
    let entry = builder.component(&component, request.arch).await?;
    let mut tree = Tree::default();
    tree.file("usr/bin/sh", 0o755, &entry.path("sh"))?;
    for name in ["ash", "env", "printenv"] {
        tree.symlink(&format!("usr/bin/{name}"), "sh");
    }
    Ok(tree)
}

/// The layout of the official nginx image.
pub(super) fn nginx(tree: &mut Tree) -> Result<()> {
    let types = "etc/nginx/mime.types";
    tree.retain(|path| !path.starts_with("etc/nginx/") || path == types);
    tree.text("etc/nginx/nginx.conf", 0o644, fixtures::NGINX_CONF);
    tree.text(
        "etc/nginx/conf.d/default.conf",
        0o644,
        fixtures::NGINX_DEFAULT,
    );
    tree.text("docker-entrypoint.sh", 0o755, fixtures::NGINX_ENTRYPOINT);
    tree.symlink("var/log/nginx/access.log", "/dev/stdout");
    tree.symlink("var/log/nginx/error.log", "/dev/stderr");
    tree.dir("var/lib/nginx", 0o755);
    accounts(
        &tree.clone(),
        tree,
        "nginx:x:101:101:nginx user:/nonexistent:/bin/false\n",
        "nginx:x:101:\n",
    )
}

/// Adds users and groups to those of the base.
fn accounts(base: &Tree, tree: &mut Tree, users: &str, groups: &str) -> Result<()> {
    for (path, lines) in [("etc/passwd", users), ("etc/group", groups)] {
        let mut text = match base.get(path).map(|node| &node.kind) {
            Some(Kind::File(content)) => content.read()?,
            _ => Vec::new(),
        };
        text.extend(lines.as_bytes());
        tree.text(path, 0o644, text);
    }
    Ok(())
}

/// What turns the nginx image into a stand-in for httpd's, which tests up to 1.34 ask for: they
/// fetch a page, and move files in and out of the folder that is served.
pub(super) fn httpd() -> Tree {
    let folder = "/usr/local/apache2/htdocs";
    let mut tree = Tree::default();
    let server = fixtures::NGINX_DEFAULT.replace("/usr/share/nginx/html", folder);
    tree.text("etc/nginx/conf.d/default.conf", 0o644, server);
    tree.text(
        &format!("{folder}/index.html"),
        0o644,
        "<html><body><h1>It works!</h1></body></html>\n",
    );
    let foreground = "#!/bin/sh\nexec nginx -g 'daemon off;'\n";
    tree.text("usr/local/bin/httpd-foreground", 0o755, foreground);
    tree
}
