//! Images of an engine that keeps them in containerd's store: of several platforms, or of a part of those that they name.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use kcluster_tests::{
    Inventory, Kcluster, Output, OwnEngine, Registry, docker, index_of_many, installed,
    named_and_held, real_clusters, tool,
};

const OWN: &str = if cfg!(target_arch = "aarch64") {
    "arm64"
} else {
    "amd64"
};

#[test]
fn images_of_containerds_store_run_in_a_cluster_of_another_engine() {
    let name = "images_of_containerds_store_run_in_a_cluster_of_another_engine";
    let Some(store) = containerd_store(name) else {
        return;
    };
    let before = Inventory::take().unwrap();
    let lab = Lab::new(store, &["--name", "l"], true);
    what_is_held_runs(&lab);
    what_is_not_is_told(&lab);

    let args = ["load", "--name", "l", "example.invalid/foreign:1"];
    let own = lab.kcluster.run(&args).unwrap().expect_code(2).unwrap();
    let absent = "there is no image `example.invalid/foreign:1`";
    assert!(own.stderr.contains(absent), "{}", own.stderr);
    lab.good("down", &[]);
    let leaked = Inventory::take().unwrap().leaked_since(&before);
    assert!(leaked.is_empty(), "{leaked:#?}");
}

#[test]
fn a_cluster_lives_on_an_engine_with_containerds_store() {
    let name = "a_cluster_lives_on_an_engine_with_containerds_store";
    let Some(store) = containerd_store(name) else {
        return;
    };
    let endpoint = store.endpoint();
    let lab = Lab::new(store, &["--name", "s", "--engine", &endpoint], false);
    what_is_held_runs(&lab);
    what_is_not_is_told(&lab);
    lab.good("suspend", &[]);
    lab.good("resume", &[]);
    lab.good("down", &[]);
    for what in [
        &["ps", "--all", "--quiet"][..],
        &["volume", "ls", "--quiet"],
    ] {
        let left = lab.store.docker(what).unwrap();
        assert!(left.is_empty(), "{what:?}: {left}");
    }
}

/// An engine of a release that has that store, if tests with real clusters are to run and its programs are here.
fn containerd_store(test: &str) -> Option<OwnEngine> {
    if !real_clusters(test) || !installed(test, "docker-registry") {
        return None;
    }
    let root = tool(test, "engine")?;
    let store = OwnEngine::with_containerd_store(&root).unwrap();
    let status = ["info", "--format", "{{json .DriverStatus}}"];
    let status = store.docker(&status).unwrap();
    assert!(status.contains("io.containerd.snapshotter.v1"), "{status}");
    Some(store)
}

/// A cluster, and the engine that images come from.
struct Lab {
    kcluster: Kcluster,
    store: OwnEngine,
    /// What images are made of.
    program: Vec<u8>,
    /// What names the cluster.
    cluster: Vec<String>,
    /// What names the engine of the images.
    from: Vec<String>,
}

impl Lab {
    fn new(store: OwnEngine, cluster: &[&str], elsewhere: bool) -> Self {
        let endpoint = store.endpoint();
        let from: &[&str] = if elsewhere {
            &["--from", &endpoint]
        } else {
            &[]
        };
        let owned = |args: &[&str]| args.iter().copied().map(str::to_owned).collect();
        let mut lab = Self {
            kcluster: Kcluster::new().unwrap(),
            cluster: owned(cluster),
            from: owned(from),
            program: Vec::new(),
            store,
        };
        lab.good("up", &["--nodes", "0"]);
        let node = format!("{}-control-plane", cluster[1]);
        let (from, to) = (
            format!("{node}:/usr/local/bin/kcluster-node"),
            lab.kcluster.state().join("program"),
        );
        let copy = ["cp", "--follow-link", &from, &to.display().to_string()];
        if elsewhere {
            docker(&copy).unwrap();
        } else {
            lab.store.docker(&copy).unwrap();
        }
        lab.program = fs_err::read(&to).unwrap();
        lab
    }

    fn run(&self, command: &str, args: &[&str]) -> Output {
        let cluster = self.cluster.iter().map(String::as_str);
        let all: Vec<&str> = [command]
            .into_iter()
            .chain(cluster)
            .chain(args.iter().copied())
            .collect();
        self.kcluster.run(&all).unwrap()
    }

    fn good(&self, command: &str, args: &[&str]) -> Output {
        self.run(command, args).expect_code(0).unwrap()
    }

    fn in_node(&self, script: &str) -> String {
        let args = ["control-plane", "--", "sh", "-c", script];
        self.good("exec", &args).stdout
    }

    fn load(&self, image: &str) -> Output {
        let from = self.from.iter().map(String::as_str);
        let args: Vec<&str> = from.chain([image]).collect();
        self.run("load", &args)
    }

    /// Loads the image into the cluster, where a pod of it runs to its end without a registry.
    fn runs(&self, pod: &str, image: &str) {
        let loaded = self.load(image).expect_code(0).unwrap();
        assert!(loaded.stderr.contains(image), "{}", loaded.stderr);
        self.in_node(&format!(
            "set -e; kubectl run {pod} --image {image} --image-pull-policy=Never --restart=Never --command -- /program help
             kubectl wait --for=jsonpath={{.status.phase}}=Succeeded --timeout=60s pod/{pod}"
        ));
    }

    /// Gives the engine an image whose index names `arches`, with the content of those `held`.
    fn add(&self, image: &str, arches: &[&str], held: &[&str]) {
        let file = self.kcluster.state().join("given.tar");
        index_of_many(&file, image, &self.program, arches, held).unwrap();
        let path = file.display().to_string();
        self.store.docker(&["load", "--input", &path]).unwrap();
    }

    /// The architectures whose content Docker's own client gets when it saves the image.
    fn saved(&self, image: &str) -> Vec<String> {
        let file = self.kcluster.state().join("saved.tar");
        let path = file.display().to_string();
        let args = ["save", "--output", &path, image];
        self.store.docker(&args).unwrap();
        let named = named_and_held(&file).unwrap();
        assert_eq!(named.len(), 3, "{named:?}");
        let held = named.into_iter().filter(|(_, held)| *held);
        held.map(|(arch, _)| arch).collect()
    }
}

/// All that the index names, and what `docker pull` gets of that: the engine's own platform alone.
fn what_is_held_runs(lab: &Lab) {
    let registry = Registry::beside(&lab.store).unwrap();
    let image = format!("127.0.0.1:{}/many:1", registry.port);
    let mut arches = ["s390x", OWN, "ppc64le"];
    lab.add(&image, &arches, &arches);
    arches.sort_unstable();
    assert_eq!(lab.saved(&image), arches);
    lab.runs("several", &image);

    lab.store.docker(&["push", &image]).unwrap();
    lab.store.docker(&["rmi", &image]).unwrap();
    lab.in_node(&format!("ctr --namespace k8s.io images rm {image}"));
    lab.store.docker(&["pull", &image]).unwrap();
    assert_eq!(lab.saved(&image), [OWN]);
    lab.runs("one", &image);
}

/// An image without the nodes' platform is refused, with what is there or what to do.
fn what_is_not_is_told(lab: &Lab) {
    let refused = |image: &str| lab.load(image).expect_code(2).unwrap().stderr;
    let image = "example.invalid/named-only:1";
    lab.add(image, &[OWN, "s390x"], &["s390x"]);
    let said = refused(image);
    assert!(
        said.contains(&format!("the engine has image `{image}` only in part"))
            && said.contains(&format!("`docker pull {image}`")),
        "{said}"
    );
    let image = "example.invalid/foreign:1";
    lab.add(image, &["s390x", "ppc64le"], &["s390x", "ppc64le"]);
    let said = refused(image);
    let there =
        format!("image {image} is for linux/ppc64le, linux/s390x, and the nodes are linux/{OWN}");
    assert!(said.contains(&there), "{said}");
    let said = refused("example.invalid/absent:1");
    assert!(
        said.contains("there is no image `example.invalid/absent:1`"),
        "{said}"
    );
}
