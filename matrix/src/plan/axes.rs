//! Axes, the points they span, and which points a selection means.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use crate::arch::Arch;
use crate::cni::Cni;
use crate::version::{KubeVersion, VersionError, VersionRequest};

/// What may stand on the axis of Kubernetes versions.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Release {
    /// A version, a line, or one counted from the latest.
    Request(VersionRequest),
    /// The tip of Kubernetes' development.
    Master,
}

impl fmt::Display for Release {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Request(request) => request.fmt(f),
            Self::Master => f.write_str("master"),
        }
    }
}

impl FromStr for Release {
    type Err = VersionError;

    fn from_str(text: &str) -> Result<Self, VersionError> {
        match text {
            "master" => Ok(Self::Master),
            text => text.parse().map(Self::Request),
        }
    }
}

/// Values for each axis. As a selection, an axis without values means all of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Axes {
    /// Kubernetes versions.
    pub kubernetes: Vec<Release>,
    /// Network plugins.
    pub cni: Vec<Cni>,
    /// Architectures.
    pub arch: Vec<Arch>,
    /// Workers beside the control plane.
    pub nodes: Vec<u8>,
    /// Further settings of a cluster by their key, each value as a flag would give it.
    pub settings: BTreeMap<String, Vec<String>>,
}

/// One combination of values.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Point {
    /// The Kubernetes version, as it was written.
    pub kubernetes: Release,
    /// The network plugin.
    pub cni: Cni,
    /// The architecture.
    pub arch: Arch,
    /// Workers beside the control plane.
    pub nodes: u8,
    /// Further settings.
    pub settings: BTreeMap<String, String>,
}

impl fmt::Display for Point {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            kubernetes,
            cni,
            arch,
            nodes,
            settings,
        } = self;
        write!(f, "{kubernetes} × {cni} × {arch}")?;
        if *nodes != 1 {
            write!(f, " × nodes {nodes}")?;
        }
        for (name, value) in settings {
            write!(f, " × {name} {value}")?;
        }
        Ok(())
    }
}

impl Axes {
    /// Every combination, in the order the values are written; none when an axis other than the
    /// settings has no value.
    #[must_use]
    pub fn points(&self) -> Vec<Point> {
        let mut settings: Vec<BTreeMap<String, String>> = vec![BTreeMap::new()];
        for (name, values) in self
            .settings
            .iter()
            .filter(|(_, values)| !values.is_empty())
        {
            let with = |before: &BTreeMap<String, String>, value: &String| {
                let mut all = before.clone();
                all.insert(name.clone(), value.clone());
                all
            };
            settings = settings
                .iter()
                .flat_map(|before| values.iter().map(|value| with(before, value)))
                .collect();
        }
        let mut points = Vec::new();
        for kubernetes in &self.kubernetes {
            for cni in &self.cni {
                for arch in &self.arch {
                    for nodes in &self.nodes {
                        points.extend(settings.iter().map(|settings| Point {
                            kubernetes: kubernetes.clone(),
                            cni: *cni,
                            arch: *arch,
                            nodes: *nodes,
                            settings: settings.clone(),
                        }));
                    }
                }
            }
        }
        points
    }

    /// These axes, with `below` where they have no value; of settings, what `below` has is not added.
    #[must_use]
    pub fn or(mut self, below: &Self) -> Self {
        fn fill<T: Clone>(mine: &mut Vec<T>, below: &[T]) {
            if mine.is_empty() {
                mine.extend_from_slice(below);
            }
        }
        fill(&mut self.kubernetes, &below.kubernetes);
        fill(&mut self.cni, &below.cni);
        fill(&mut self.arch, &below.arch);
        fill(&mut self.nodes, &below.nodes);
        self
    }

    /// The first value of each axis.
    #[must_use]
    pub fn first(&self) -> Self {
        fn one<T: Clone>(values: &[T]) -> Vec<T> {
            values.first().cloned().into_iter().collect()
        }
        Self {
            kubernetes: one(&self.kubernetes),
            cni: one(&self.cni),
            arch: one(&self.arch),
            nodes: one(&self.nodes),
            settings: self
                .settings
                .iter()
                .map(|(name, values)| (name.clone(), one(values)))
                .collect(),
        }
    }

    /// Whether `point`, whose version is `version` if that is known, is one of those selected. A line such as
    /// 1.36 selects every version of it.
    #[must_use]
    pub fn selects(
        &self,
        point: &Point,
        version: Option<&KubeVersion>,
        resolve: &dyn Fn(&Release) -> Result<KubeVersion, String>,
    ) -> bool {
        fn has<T: PartialEq>(values: &[T], value: &T) -> bool {
            values.is_empty() || values.contains(value)
        }
        let means = |release: &Release| {
            *release == point.kubernetes
                || version.is_some_and(|version| match release {
                    Release::Request(VersionRequest::Line(minor)) => version.minor() == *minor,
                    release => resolve(release).is_ok_and(|found| found == *version),
                })
        };
        (self.kubernetes.is_empty() || self.kubernetes.iter().any(means))
            && has(&self.cni, &point.cni)
            && has(&self.arch, &point.arch)
            && has(&self.nodes, &point.nodes)
            && self.settings.iter().all(|(name, values)| {
                let found = point.settings.get(name);
                values.is_empty() || found.is_some_and(|value| values.contains(value))
            })
    }
}
