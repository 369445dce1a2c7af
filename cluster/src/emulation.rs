//! Emulators of other architectures on an engine's host: looked at, registered, proved and removed.
//!
//! All of it is done by one program in short-lived containers of the image that
//! `kcluster-images` makes, so a host far away is no different from this machine.

use std::time::Duration;

use kcluster_matrix::Arch;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::engine::{Engine, EngineError, ToolSpec};
use crate::labels;

/// Each emulator is proved within its own limit; this one is for an engine that hangs.
const LIMIT: Duration = Duration::from_secs(600);

/// The program in the image; see images/components/emulator.
const CONTROL: &str = "/kcluster/control";

/// What an engine's host runs foreign programs with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Emulators {
    /// The host's own architecture.
    pub native: Arch,
    /// Its kernel's release.
    pub kernel: String,
    /// Each architecture that was asked for.
    pub machines: Vec<Emulator>,
    /// Names of registrations that were made just now.
    pub made: Vec<String>,
    /// Names of registrations that were removed just now.
    pub removed: Vec<String>,
}

/// What runs the programs of one architecture.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Emulator {
    /// The architecture.
    pub arch: Arch,
    /// No emulator is needed.
    pub native: bool,
    /// All registrations that fit its programs.
    pub entries: Vec<Registration>,
    /// Path of the program that the kernel really takes, on whatever file system it came from.
    pub used: String,
    /// Its version.
    pub version: String,
    /// Whether that is kcluster's.
    pub ours: bool,
    /// Whether nodes can rely on it.
    pub good: bool,
    /// Why they cannot.
    pub why: Vec<String>,
    /// What the kernel offers and the emulator refuses.
    pub lacks: Vec<Lack>,
    /// What was wrong with what was there before ours was registered.
    pub instead: Vec<String>,
    /// How long the proof took, in milliseconds.
    pub took: u64,
}

/// An entry of `binfmt_misc`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Registration {
    /// Its name.
    pub name: String,
    /// Whether the kernel minds it.
    pub enabled: bool,
    /// Path of the interpreter, as it was registered.
    pub interpreter: String,
    /// Its flags, such as `POCF`.
    pub flags: String,
    /// Whether kcluster made it.
    pub ours: bool,
}

/// Something that does not work under an emulator.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lack {
    /// A system call, or a use of one.
    pub what: String,
    /// What a foreign program is told.
    pub emulated: String,
    /// What a native one is told.
    pub native: String,
}

/// Why foreign programs cannot be run.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum EmulationError {
    /// The engine refused or broke off.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// The program in the container gave up.
    #[error("cannot {what} on the engine's host: {reason}")]
    Refused {
        /// What was asked.
        what: &'static str,
        /// Its last words.
        reason: String,
    },
    /// There is an emulator, but not one to rely on.
    #[error("programs of {arch} do not run as nodes need it on the engine's host: {}", why.join("; "))]
    Unfit {
        /// The architecture.
        arch: Arch,
        /// All that is wrong.
        why: Vec<String>,
    },
}

/// What there is for these architectures, with all that each emulator can and cannot do.
/// Nothing is changed.
///
/// # Errors
/// When the engine's host cannot be asked.
pub async fn status(
    engine: &dyn Engine,
    image: &str,
    archs: &[Arch],
) -> Result<Emulators, EmulationError> {
    control(engine, image, "look at emulators", "status", archs).await
}

/// As [`status`], after registering ours for each architecture that has none nodes can rely on.
/// Registrations of others stay; where ours is newer, the kernel takes it first.
///
/// # Errors
/// When the engine's host cannot be asked, or refuses.
pub async fn register(
    engine: &dyn Engine,
    image: &str,
    archs: &[Arch],
) -> Result<Emulators, EmulationError> {
    control(engine, image, "register emulators", "ensure", archs).await
}

/// Sees to it that programs of `arch` run: quick when they do already. This is for each boot.
///
/// # Errors
/// When they do not, with the reason.
pub async fn ready(
    engine: &dyn Engine,
    image: &str,
    arch: Arch,
) -> Result<Emulators, EmulationError> {
    let found = control(engine, image, "register emulators", "ready", &[arch]).await?;
    match found.machines.iter().find(|machine| machine.arch == arch) {
        Some(machine) if machine.good => Ok(found),
        machine => Err(EmulationError::Unfit {
            arch,
            why: machine.map_or_else(
                || vec!["the answer does not name it".to_owned()],
                |machine| machine.why.clone(),
            ),
        }),
    }
}

/// Removes all registrations that kcluster made, and no others.
///
/// # Errors
/// When the engine's host cannot be asked, or refuses.
pub async fn unregister(engine: &dyn Engine, image: &str) -> Result<Emulators, EmulationError> {
    control(engine, image, "remove emulators", "remove", &[]).await
}

async fn control(
    engine: &dyn Engine,
    image: &str,
    what: &'static str,
    command: &str,
    archs: &[Arch],
) -> Result<Emulators, EmulationError> {
    let labels = labels::tool_labels();
    let privilege = engine.privilege(image, &labels).await?;
    let mut argv = vec![CONTROL.to_owned(), command.to_owned()];
    argv.extend(archs.iter().map(ToString::to_string));
    let spec = ToolSpec {
        image: image.to_owned(),
        argv,
        privilege,
        labels,
        limit: LIMIT,
    };
    let output = engine.run_tool(&spec).await?;
    let refused = |reason: String| EmulationError::Refused { what, reason };
    if output.code != 0 {
        let said = output.stderr.trim();
        return Err(refused(if said.is_empty() {
            format!("`{}` ended with code {}", spec.argv.join(" "), output.code)
        } else {
            said.to_owned()
        }));
    }
    serde_json::from_str(&output.stdout).map_err(|error| {
        refused(format!(
            "`{}` gave an answer that cannot be read: {error}",
            spec.argv.join(" ")
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::recording::{Answer, Recorder};
    use crate::engine::{ExecOutput, Labels};

    const IMAGE: &str = "kcluster/emulators:1";

    fn engine(stdout: &str, code: i64, stderr: &str) -> Recorder {
        let engine = Recorder::new().with_image(IMAGE, &Labels::new());
        let output = ExecOutput {
            code,
            stdout: stdout.to_owned(),
            stderr: stderr.to_owned(),
        };
        engine.script(move |_, _| Some(Answer::Output(output.clone())));
        engine
    }

    fn answer(good: bool, why: &[&str]) -> String {
        serde_json::json!({
            "native": "amd64", "kernel": "6.18", "made": ["kcluster-s390x"], "removed": [],
            "machines": [{
                "arch": "s390x", "native": false, "entries": [], "used": "/kcluster/qemu-s390x",
                "version": "10.0.13", "ours": true, "good": good, "why": why,
                "lacks": [{ "what": "bpf", "emulated": "ENOSYS", "native": "EINVAL" }],
                "instead": ["nothing is registered for s390x programs"], "took": 900,
            }],
        })
        .to_string()
    }

    #[tokio::test]
    async fn a_good_emulator_is_ready_and_asked_for_once() {
        let engine = engine(&answer(true, &[]), 0, "");
        let found = ready(&engine, IMAGE, Arch::S390x).await.unwrap();
        assert_eq!(found.made, ["kcluster-s390x"]);
        assert_eq!(found.machines[0].lacks[0].what, "bpf");
        assert_eq!(
            engine.calls(),
            [
                format!("privilege {IMAGE}"),
                format!("run_tool {IMAGE} /kcluster/control ready s390x")
            ]
        );
        assert!(engine.leftovers().is_empty());
    }

    #[tokio::test]
    async fn an_emulator_that_will_not_do_is_told_with_all_reasons() {
        let engine = engine(&answer(false, &["exec: hangs", "fork: hangs"]), 0, "");
        let error = ready(&engine, IMAGE, Arch::S390x).await.unwrap_err();
        assert!(
            error.to_string().ends_with("exec: hangs; fork: hangs"),
            "{error}"
        );
        let error = ready(&engine, IMAGE, Arch::Arm64).await.unwrap_err();
        assert!(error.to_string().contains("arm64"), "{error}");
    }

    #[tokio::test]
    async fn what_the_host_refuses_is_passed_on() {
        let refused = engine("", 1, "may not mount binfmt_misc: EPERM\n");
        let error = status(&refused, IMAGE, &[Arch::Arm64]).await.unwrap_err();
        assert_eq!(
            error.to_string(),
            "cannot look at emulators on the engine's host: may not mount binfmt_misc: EPERM"
        );
        for (stdout, code) in [("", 137), ("{}", 0), ("no JSON", 0)] {
            let error = unregister(&engine(stdout, code, ""), IMAGE)
                .await
                .unwrap_err();
            assert!(
                error.to_string().contains("/kcluster/control remove"),
                "{error}"
            );
        }
        let absent = register(&Recorder::new(), IMAGE, &[Arch::Arm64]).await;
        assert!(matches!(
            absent.unwrap_err(),
            EmulationError::Engine(EngineError::Missing { .. })
        ));
    }
}
