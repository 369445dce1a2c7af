//! `report.json` by the schema that kcluster publishes.

use kcluster_tests::{Kcluster, SettingsSchema, examples, sample};
use serde_json::Value;

/// The schema, but with keys that it does not name forbidden: a new key has to be written down.
fn strict(value: &mut Value) {
    if let Some(object) = value.as_object_mut() {
        if object.contains_key("properties") && object.contains_key("type") {
            object.insert("additionalProperties".into(), false.into());
        }
        object.values_mut().for_each(strict);
    } else if let Some(array) = value.as_array_mut() {
        array.iter_mut().for_each(strict);
    }
}

#[test]
fn reports_keep_to_the_published_schema() {
    let kcluster = Kcluster::new().unwrap();
    let ok = |args: &[&str]| {
        let output = kcluster.run(args).unwrap();
        // Some of the sample failed, some could not be judged.
        assert!([0, 3].contains(&output.code), "{output:?}");
        output.stdout
    };
    let mut schema: Value = serde_json::from_str(&ok(&["report", "schema"])).unwrap();
    // `outcome` is one of its variants.
    let outcome = schema["$defs"]["outcome"].take();
    strict(&mut schema);
    schema["$defs"]["outcome"] = outcome;
    let validator = jsonschema::draft202012::new(&schema).unwrap();

    let sample = kcluster.state().join("sample");
    let merged = kcluster.state().join("merged");
    fs_err::create_dir_all(&sample).unwrap();
    fs_err::write(sample.join("report.json"), sample::matrix_report()).unwrap();
    let folders = [&sample, &merged].map(|folder| folder.display().to_string());
    ok(&["report", "merge", &folders[0], "--report-dir", &folders[1]]);
    let text = fs_err::read_to_string(merged.join("report.json")).unwrap();
    let report: Value = serde_json::from_str(&text).unwrap();
    let errors: Vec<String> = validator
        .iter_errors(&report)
        .map(|error| format!("{}: {error}", error.instance_path()))
        .collect();
    assert_eq!(errors, Vec::<String>::new());
    for verdict in ["passed", "failed", "errored", "skipped"] {
        assert!(
            text.contains(&format!("\"is\": \"{verdict}\"")),
            "none {verdict}"
        );
    }

    let without = |pointer: &str, key: &str| {
        let mut report = report.clone();
        let object = report.pointer_mut(pointer).unwrap().as_object_mut();
        object.unwrap().remove(key).unwrap();
        validator.is_valid(&report)
    };
    assert!(!without("", "suites"));
    assert!(!without("/suites/0", "started"));
    assert!(!without("/suites/0/cases/0/outcome", "is"));
}

#[test]
fn every_example_of_settings_fits_their_schema_and_is_taken() {
    let kcluster = Kcluster::new().unwrap();
    let schema = SettingsSchema::of(&kcluster).unwrap();
    let examples = examples().unwrap();
    for (place, text) in &examples {
        schema
            .expect(text)
            .unwrap_or_else(|error| panic!("{place}: {error:#}"));
        // A manifest's section is found from the working directory only.
        let manifest = text.contains("[workspace");
        let file = if manifest {
            "Cargo.toml"
        } else {
            "kcluster.toml"
        };
        let folder = kcluster.state().join("example");
        fs_err::create_dir_all(folder.join("src")).unwrap();
        fs_err::write(folder.join(file), text).unwrap();
        let shown = kcluster
            .command(&["config", "show"])
            .current_dir(&folder)
            .env_remove("KCLUSTER_EGRESS")
            .output()
            .unwrap();
        assert!(
            shown.status.success(),
            "{place}: {}",
            String::from_utf8_lossy(&shown.stderr)
        );
        let shown = String::from_utf8_lossy(&shown.stdout);
        assert!(shown.contains(&format!("# {file}:")), "{place}: {shown}");
        fs_err::remove_dir_all(&folder).unwrap();
    }
    for page in ["README.md", ".github/kcluster.toml"] {
        assert!(
            examples.iter().any(|(place, _)| place.starts_with(page)),
            "no example was found in {page}"
        );
    }
}
