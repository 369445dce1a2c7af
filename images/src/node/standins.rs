//! File trees of the images that tests run. They must behave to the letter as the official ones do.

use kcluster_matrix::KubeVersion;

use super::{NodeImageRequest, fixtures, registry};
use crate::builder::Builder;
use crate::catalogue::known_versions;
use crate::error::Result;
use crate::go::{Component, KubernetesModule, Product};
use crate::source::Source;
use crate::tree::{Kind, Node, Tree};

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

async fn upstream(builder: &Builder, request: &NodeImageRequest) -> Result<KubernetesModule> {
    KubernetesModule::prepare(builder, &agnhost_version(request)).await
}

/// What agnhost's Dockerfile lays on its base.
pub(super) async fn agnhost(builder: &Builder, request: &NodeImageRequest) -> Result<Tree> {
    let module = upstream(builder, request).await?;
    let binary = module
        .build(builder, Product::Agnhost, request.platform.arch())
        .await?;
    let porter = module.sources.join("test/images/agnhost/porter");
    let mut tree = Tree::default();
    tree.file("agnhost", 0o755, &binary)?;
    tree.symlink("agnhost-2", "agnhost");
    for name in ["localhost.crt", "localhost.key"] {
        tree.file(name, 0o644, &porter.join(name))?;
    }
    tree.dir("uploads", 0o755);
    tree.overlay(registry::of_agnhost(builder, request, &module.sources).await?);
    Ok(tree)
}

/// Adds the users that agnhost's Dockerfile adds to those of its base.
pub(super) fn with_agnhosts_users(mut tree: Tree, base: &Tree) -> Result<Tree> {
    accounts(
        base,
        &mut tree,
        "user-defined-in-image:x:1000:1000::/home/user-defined-in-image:/bin/sh\n",
        "user-defined-in-image:x:1000:\ngroup-defined-in-image:x:50000:user-defined-in-image\n",
    )?;
    tree.dir("home/user-defined-in-image", 0o755);
    Ok(tree)
}

/// The picture that one of the two pets serves, and what says which it is.
pub(super) async fn pet(builder: &Builder, request: &NodeImageRequest, name: &str) -> Result<Tree> {
    let module = upstream(builder, request).await?;
    let html = module.sources.join("test/images").join(name).join("html");
    let mut tree = Tree::default();
    for file in [format!("{name}.jpg"), "data.json".to_owned()] {
        tree.file(&file, 0o644, &html.join(&file))?;
    }
    // A spec mounts kitten's image as a volume and wants to find Alpine in it.
    tree.text("etc/os-release", 0o644, fixtures::PETS_OS_RELEASE);
    Ok(tree)
}

/// A program that becomes another user and group when nothing keeps it from that.
pub(super) async fn nonewprivs(builder: &Builder, request: &NodeImageRequest) -> Result<Tree> {
    let module = upstream(builder, request).await?;
    let binary = module
        .build(builder, Product::NoNewPrivs, request.platform.arch())
        .await?;
    let mut tree = Tree::default();
    tree.file("usr/local/bin/nnp", 0o6755, &binary)?;
    Ok(tree)
}

/// The official image's layout, where all commands are in `/bin`, with the shell and `env` that
/// keep odd environment variables; see components/busybox.
pub(super) async fn busybox(
    builder: &Builder,
    request: &NodeImageRequest,
    mut tree: Tree,
) -> Result<Tree> {
    let component = Component {
        name: "busybox",
        title: "sh and env for busybox".to_owned(),
        requires: None,
        programs: &[(".", "sh")],
        tags: &[],
        without: &[],
        ldflags: String::new(),
    };
    let entry = builder
        .component(&component, request.platform.arch())
        .await?;
    into_bin(&mut tree);
    tree.file("usr/bin/sh", 0o755, &entry.path("sh"))?;
    for name in ["ash", "env", "printenv"] {
        tree.symlink(&format!("usr/bin/{name}"), "sh");
    }
    Ok(tree)
}

fn into_bin(tree: &mut Tree) {
    let elsewhere: Vec<(String, Node)> = tree
        .iter()
        .filter_map(|(path, node)| {
            let name = path.strip_prefix("usr/sbin/")?;
            Some((format!("usr/bin/{name}"), node.clone()))
        })
        .collect();
    tree.remove("usr/sbin");
    tree.symlink("usr/sbin", "bin");
    for (path, node) in elsewhere {
        tree.insert(&path, node);
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn busybox_has_all_commands_in_bin() {
        let mut tree = Tree::default();
        tree.text("usr/bin/busybox", 0o755, "");
        tree.symlink("usr/sbin/sysctl", "/usr/bin/busybox");
        into_bin(&mut tree);
        let link = |path: &str| tree.get(path).map(|node| node.kind.clone());
        assert_eq!(
            link("usr/bin/sysctl"),
            Some(Kind::Symlink("/usr/bin/busybox".into()))
        );
        assert_eq!(link("usr/sbin"), Some(Kind::Symlink("bin".into())));
        assert_eq!(link("usr/sbin/sysctl"), None);
    }

    #[test]
    fn agnhosts_user_is_in_a_group_of_the_image() {
        let mut base = Tree::default();
        base.text("etc/passwd", 0o644, "root:x:0:0::/root:/bin/sh\n");
        let tree = with_agnhosts_users(Tree::default(), &base).unwrap();
        let lines = |path: &str| match &tree.get(path).unwrap().kind {
            Kind::File(content) => String::from_utf8(content.read().unwrap()).unwrap(),
            other => panic!("{other:?}"),
        };
        assert!(
            lines("etc/passwd")
                .starts_with("root:x:0:0::/root:/bin/sh\nuser-defined-in-image:x:1000:")
        );
        assert!(
            lines("etc/group").contains("group-defined-in-image:x:50000:user-defined-in-image\n")
        );
    }
}
