//! `--json` of what operators say: each line is one JSON value, with the fields that docs/json.md has, and no other.

use std::{fs, path::Path, time::Duration};

use harness::{
    bed::{Bed, PASSWORD, USER},
    client::Client,
    ports,
    program::{Ran, wait_for},
    sink::Sink,
};
use serde_json::{Value, json};

const CONTENT: &[u8] = b"Subject: x\r\nMessage-ID: <1@from.test>\r\n\r\ntext\r\n";

/// The fields of a command's row in the page: everything in backticks but example values.
fn documented(command: &str) -> Vec<String> {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/json.md");
    let page = fs::read_to_string(page).expect("the page");
    let row = page.lines().find(|line| {
        let first = line.split('|').nth(1).unwrap_or_default();
        first.split(',').any(|name| name.trim() == format!("`{command}`"))
    });
    let row = row.unwrap_or_else(|| panic!("`{command}` is not in docs/json.md"));
    let fields = row.splitn(4, '|').nth(3).unwrap_or_default();
    // `field`, `field`: what it is. What follows the colon may have values in backticks.
    let lists = fields.split(". ").map(|clause| clause.split(": ").next().unwrap_or_default());
    lists.flat_map(|list| list.split('`').skip(1).step_by(2)).map(str::to_owned).collect()
}

/// Whether a path such as `a.b[].c` leads to something; an empty list or none leads wherever it is said to.
fn leads(value: &Value, path: &str) -> bool {
    let (first, rest) = path.split_once('.').map_or((path, None), |(a, b)| (a, Some(b)));
    let (name, is_list) = first.strip_suffix("[]").map_or((first, false), |name| (name, true));
    let Some(value) = value.get(name) else { return false };
    match (value, rest) {
        (Value::Null, _) => true,
        (Value::Array(items), Some(rest)) if is_list => items.iter().all(|item| leads(item, rest)),
        (Value::Array(_), None) => is_list,
        (_, None) => !is_list,
        (_, Some(rest)) => !is_list && leads(value, rest),
    }
}

/// Each line is what the page says of that command.
#[track_caller]
fn lines(command: &str, ran: Ran) -> Vec<Value> {
    let fields = documented(command);
    let known: Vec<&str> =
        fields.iter().map(|path| path.split(['.', '[']).next().unwrap_or_default()).collect();
    let values = json_lines(&ran);
    for value in &values {
        let object = value.as_object().unwrap_or_else(|| panic!("{command}: no object: {value}"));
        for field in object.keys() {
            assert!(known.contains(&field.as_str()), "{command}: `{field}` is not documented");
        }
        for path in &fields {
            assert!(leads(value, path), "{command}: there is no `{path}` in {value}");
        }
    }
    ran.good();
    values
}

#[track_caller]
fn json_lines(ran: &Ran) -> Vec<Value> {
    let read = |line: &str| {
        serde_json::from_str(line).unwrap_or_else(|error| panic!("no JSON: {error}: {line}"))
    };
    ran.out().lines().map(read).collect()
}

/// The only line.
#[track_caller]
fn line(command: &str, ran: Ran) -> Value {
    let mut values = lines(command, ran);
    assert_eq!(values.len(), 1, "{command}: {values:?}");
    values.remove(0)
}

#[track_caller]
fn accepted(bed: &Bed, recipient: &str) -> String {
    let reply = Client::hello(bed.mx).transaction("sender@from.test", &[recipient], CONTENT);
    let reply = reply.expect("the server answers");
    assert!(reply.starts_with("250 2.0.0"), "{reply}");
    reply.trim_end().rsplit(' ').next().unwrap_or_default().to_owned()
}

/// What an order answers.
#[track_caller]
fn ordered(bed: &Bed, arguments: &[&str], done: &str, count: u64) {
    let said = line("orders", bed.command(&[arguments, &["--json"]].concat()));
    assert_eq!(said, json!({ "done": done, "count": count, "notes": [] }), "{arguments:?}");
}

fn route(port: u16) -> String {
    format!("[routes]\n\"next.test\" = \"127.0.0.1:{port}\"\n")
}

#[test]
fn what_is_asked_about_the_queue_has_its_fields() {
    let bed = Bed::start(&route(ports::free()));
    let id = accepted(&bed, "carol@next.test");
    bed.why(&id, &["refused"]);
    let list = line("queue list", bed.command(&["queue", "list", "--json"]));
    assert_eq!(list["id"], id.as_str());
    assert_eq!(list["recipients"], json!(["carol@next.test"]));
    let shown = line("queue show", bed.command(&["queue", "show", &id, "--json"]));
    assert_eq!(shown["entry"], list, "the same job");
    assert_eq!(shown["message_id"], "<1@from.test>");
    for subject in [id.as_str(), "carol@next.test"] {
        let why = line("why", bed.command(&["why", subject, "--json"]));
        assert_eq!(why["subject"], subject);
        let story = &why["stories"][0];
        assert_eq!(story["state"], "deferred", "{why}");
        assert_eq!(story["findings"][0]["recipients"], json!(["carol@next.test"]), "{why}");
    }
    let status = line("status", bed.command(&["status", "--json"]));
    assert_eq!(
        (&status["queue"]["jobs"], &status["counts"]["messages_received"]),
        (&json!(1), &json!(1))
    );
}

#[test]
fn orders_to_the_queue_say_what_was_done() {
    let (dead, sink) = (ports::free(), Sink::start());
    let bed = Bed::start(&route(dead));
    let ids: Vec<_> =
        ["a", "b", "c"].map(|name| accepted(&bed, &format!("{name}@next.test"))).into();
    bed.why(&ids[0], &["refused"]);
    let state = |id: &str| {
        line("queue show", bed.command(&["queue", "show", id, "--json"]))["entry"]["state"].clone()
    };
    ordered(&bed, &["queue", "hold", "--domain", "next.test"], "held", 3);
    assert_eq!(state(&ids[0]), "held");
    ordered(&bed, &["queue", "hold", "--domain", "nobody.test"], "held", 0);
    ordered(&bed, &["queue", "release", &ids[0]], "released", 1);
    assert_ne!(state(&ids[0]), "held");
    ordered(&bed, &["queue", "retry", &ids[0]], "due now", 1);
    ordered(&bed, &["queue", "remove", &ids[0]], "removed", 1);
    ordered(&bed, &["queue", "bounce", &ids[1], "--reason", "enough"], "given up", 1);
    let hop = format!("127.0.0.1:{}", sink.port);
    ordered(&bed, &["queue", "reroute", &ids[2], &hop], "re-routed", 1);
    assert_eq!(sink.wait(1)[0].recipients, ["c@next.test"]);
    // What is wrong is told on standard error alone.
    for arguments in [
        &["queue", "hold", "ZZZZZZ", "--json"][..],
        &["queue", "show", "ZZZZZZ", "--json"],
        &["queue", "reroute", &ids[2], ":::", "--json"],
        &["why", "nobody@nowhere.test", "--json"],
    ] {
        let ran = bed.command(arguments);
        let is_told = ran.status() != 0 && ran.out().is_empty() && !ran.text().is_empty();
        let is_empty = arguments[0] == "why" && line("why", bed.command(arguments)).is_object();
        assert!(is_told || is_empty, "{arguments:?}: {}", ran.text());
    }
}

#[test]
fn what_the_door_knows_has_its_fields() {
    let mut bed =
        Bed::new("[door.greylist]\non = true\n[door.logins]\nper_client = 2\ndelay = \"0s\"\n");
    bed.configure_submission(
        "auth = { without_tls = true }\n",
        "[door.greylist]\non = true\n[door.logins]\nper_client = 2\ndelay = \"0s\"\n",
    );
    bed.add_user();
    bed.start_again();
    let mut client = Client::hello(bed.submission);
    // anna, wrong, as another word each time.
    for response in ["AGFubmEAb25l", "AGFubmEAdHdv", "AGFubmEAdGhyZWU="] {
        client.say(&format!("AUTH PLAIN {response}")).expect("the server answers");
    }
    let logins = lines("door logins", bed.command(&["door", "logins", "--json"]));
    let of = |kind: &str| logins.iter().find(|of| of["subject"].get(kind).is_some());
    let locked = of("client").unwrap_or_else(|| panic!("{logins:?}"));
    assert_eq!(locked["subject"]["client"], "127.0.0.1", "{locked}");
    assert!(locked["locked"].is_u64(), "{locked}");
    assert_eq!(of("user").unwrap_or_else(|| panic!("{logins:?}"))["subject"]["user"], "anna");
    let only = lines("door logins", bed.command(&["door", "logins", "--locked", "--json"]));
    assert!(only.len() < logins.len() && only.contains(locked), "{only:?}");
    ordered(&bed, &["door", "unlock", "anna"], "forgotten", 1);
    let rest = bed.command(&["door", "unlock", "--all", "--json"]);
    assert!(line("orders", rest)["count"].as_u64() >= Some(1));
    ordered(&bed, &["door", "unlock", "--all"], "forgotten", 0);
    let nobody = bed.command(&["door", "unlock", "nobody", "--json"]);
    assert!(nobody.status() != 0 && nobody.out().is_empty(), "{}", nobody.text());

    let mut new = Client::hello(bed.mx);
    new.expect("MAIL FROM:<sender@from.test>", "250");
    new.expect("RCPT TO:<anna@here.test>", "45");
    let grey = line("door greylist", bed.command(&["door", "greylist", "--json"]));
    assert_eq!((&grey["sender"], &grey["passed"]), (&json!("sender@from.test"), &json!(0)));
    let verdict = bed.command(&[
        "door",
        "check",
        "192.0.2.7",
        "--helo",
        "a.test",
        "--mail",
        "x@a.test",
        "--rcpt",
        "anna@here.test",
        "--json",
    ]);
    let verdict = line("door check", verdict);
    assert!(verdict["checks"].as_array().is_some_and(|checks| checks.len() > 3), "{verdict}");
    ordered(&bed, &["door", "greylist", "--forget", "127.0.0.1"], "forgotten", 1);
    assert!(bed.command(&["door", "greylist", "--json"]).out().is_empty());
    let users = json_lines(&bed.command(&["user", "list", "--json"]));
    assert_eq!(users, [json!([USER])]);
    let shown = json_lines(&bed.command(&["config", "show", "--json"]));
    assert_eq!(shown[0]["hostname"], "mx.here.test");
    assert!(!shown[0].to_string().contains(PASSWORD), "{shown:?}");
}

#[test]
fn the_end_and_the_spool_have_their_fields() {
    let mut bed = Bed::start(&route(ports::free()));
    let id = accepted(&bed, "carol@next.test");
    bed.why(&id, &["refused"]);
    let config = bed.config().display().to_string();
    ordered(&bed, &["config", "check", &config], "checked", 1);
    ordered(&bed, &["reload"], "reloaded", 1);
    // The spool is the server's as long as it runs.
    let busy = bed.command(&["spool", "check", "--json"]);
    assert!(busy.status() != 0 && busy.out().is_empty(), "{}", busy.text());
    ordered(&bed, &["stop"], "stopping", 1);
    assert!(bed.ended().success());
    let check = line("spool check", bed.command(&["spool", "check", "--json"]));
    assert_eq!((&check["jobs"], &check["damaged"]), (&json!(1), &json!([])), "{check}");
    let repair = line("spool repair", bed.command(&["spool", "repair", "--json"]));
    assert_eq!(repair, check);
    let out = bed.folder().join("out");
    fs::create_dir(&out).expect("a folder can be made");
    let out = out.display().to_string();
    ordered(&bed, &["spool", "export", "--out", &out], "written", 1);
    let nobody = bed.command(&["queue", "list", "--json"]);
    assert!(nobody.status() != 0 && nobody.out().is_empty(), "{}", nobody.text());
    wait_for("the exported message", Duration::from_secs(5), || {
        fs::read_dir(&out).ok()?.flatten().next().map(drop)
    });
}
