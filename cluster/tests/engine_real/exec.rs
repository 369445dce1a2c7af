//! Commands in nodes.

use kcluster_cluster::engine::{EngineError, ExecOutput, ExecSpec, OutputLine, Stream};
use tokio::sync::mpsc::unbounded_channel;

use crate::support::corner;

fn sh(script: &str) -> ExecSpec {
    ExecSpec::new(["sh", "-c", script])
}

#[tokio::test]
async fn output_input_environment_and_exit_codes() {
    let (_dockerd, corner) = corner!();
    let engine = &*corner.engine;
    let node = &corner.started(0).await;
    let output = engine
        .exec(node, sh("echo out; echo err >&2; exit 7"), None)
        .await
        .unwrap();
    let expected = ExecOutput {
        code: 7,
        stdout: "out\n".into(),
        stderr: "err\n".into(),
    };
    assert_eq!(output, expected);
    let spec = ExecSpec {
        env: vec![("A".into(), "b c".into())],
        ..sh("echo $A")
    };
    assert_eq!(engine.exec(node, spec, None).await.unwrap().stdout, "b c\n");

    // More than any buffer holds, in and out at the same time.
    let text = "0123456789abcdef\n".repeat(200_000);
    let spec = ExecSpec {
        stdin: Some(text.clone().into_bytes()),
        ..ExecSpec::new(["cat"])
    };
    let output = engine.exec(node, spec, None).await.unwrap();
    assert!(output.stdout == text && output.code == 0);
    // Input that nobody reads, and none at all.
    let spec = ExecSpec {
        stdin: Some(text.into_bytes()),
        ..ExecSpec::new(["true"])
    };
    assert_eq!(engine.exec(node, spec, None).await.unwrap().code, 0);
    assert_eq!(
        engine
            .exec(node, ExecSpec::new(["cat"]), None)
            .await
            .unwrap()
            .code,
        0
    );
    // A command that closes its output long before it ends.
    let output = engine
        .exec(node, sh("exec >&- 2>&-; sleep 0.3; exit 5"), None)
        .await
        .unwrap();
    assert_eq!(output.code, 5);
    corner.clear().await;
}

#[tokio::test]
async fn lines_arrive_before_the_command_ends() {
    let (_dockerd, corner) = corner!();
    let engine = &*corner.engine;
    let node = &corner.started(0).await;
    let (to, mut lines) = unbounded_channel::<OutputLine>();
    let script = "echo begun; echo -n ha; while ! test -e /tmp/go; do sleep 0.02; done; echo lf; echo -n e >&2";
    let talk = async {
        let first = lines.recv().await.unwrap();
        assert_eq!(first.text, "begun");
        // Only now can it end: the line came while it ran.
        engine.exec(node, sh("touch /tmp/go"), None).await.unwrap();
        let mut rest = vec![lines.recv().await.unwrap(), lines.recv().await.unwrap()];
        rest.sort_by_key(|line| line.stream == Stream::Err);
        let line = |stream, text: &str| OutputLine {
            stream,
            text: text.into(),
        };
        assert_eq!(rest, [line(Stream::Out, "half"), line(Stream::Err, "e")]);
        assert!(lines.recv().await.is_none());
    };
    let (output, ()) = tokio::join!(engine.exec(node, sh(script), Some(to)), talk);
    assert_eq!(output.unwrap().stdout, "begun\nhalf\n");
    corner.clear().await;
}

#[tokio::test]
async fn many_commands_run_side_by_side() {
    let (_dockerd, corner) = corner!();
    let node = corner.started(0).await;
    let runs = (0..12).map(|number| {
        let (engine, node) = (corner.engine.clone(), node.clone());
        async move {
            let output = engine
                .exec(&node, sh(&format!("echo {number}; exit {number}")), None)
                .await;
            let output = output.unwrap();
            assert_eq!(
                (output.code, output.stdout),
                (number, format!("{number}\n"))
            );
        }
    });
    futures_util::future::join_all(runs).await;
    corner.clear().await;
}

#[tokio::test]
async fn commands_that_cannot_run_say_why() {
    let (_dockerd, corner) = corner!();
    let engine = &*corner.engine;
    let node = &corner.make(&corner.node(0)).await;
    let stopped = engine.exec(node, sh("true"), None).await.unwrap_err();
    assert!(stopped.to_string().contains("is not running"), "{stopped}");
    engine.start_node(node).await.unwrap();
    let output = engine
        .exec(node, ExecSpec::new(["no-such-program"]), None)
        .await
        .unwrap();
    assert!(matches!(output.code, 126 | 127), "{output:?}");
    assert!((output.stdout + &output.stderr).contains("no-such-program"));
    let absent = engine.exec("absent", sh("true"), None).await.unwrap_err();
    assert!(
        matches!(absent, EngineError::Missing { what: "node", .. }),
        "{absent}"
    );
    // The node ends while the command runs.
    let (output, removed) = tokio::join!(
        engine.exec(node, sh("echo begun; sleep 1000"), None),
        async {
            // Long enough for the command to have begun, most times; either way it must end.
            tokio::time::sleep(std::time::Duration::from_millis(300)).await;
            engine.remove_node(node).await
        }
    );
    removed.unwrap();
    match output {
        Ok(output) => assert_ne!(output.code, 0),
        Err(error) => assert!(
            matches!(
                error,
                EngineError::Failed { .. } | EngineError::Missing { .. }
            ),
            "{error}"
        ),
    }
    corner.clear().await;
}
