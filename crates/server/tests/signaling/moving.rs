//! Somebody moves here from the hosted service, while Salon runs: `salon import realtimekit` and what comes of it.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Duration;

use salon_server::config::{DEV_ACCOUNT, DEV_TOKEN};
use serde_json::{Value, json};

use crate::hosted::{ACCOUNT, Hosted, TOKEN, Trouble};
use crate::house::{Folder, PATIENCE, Person, fresh};
use crate::http::{Call, Said};
use crate::node::Node;
use crate::watcher::Stream;

/// The command, as somebody beside the running server gives it.
fn import(hosted: &Hosted, data: &Path, more: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_salon"));
    command.args(["import", "realtimekit", "--account", ACCOUNT, "--into", DEV_ACCOUNT, "--per-minute", "60000"]);
    command.args(["--base-url", &hosted.base(), &format!("--set=data={}", data.display())]).args(more);
    command.env_clear().env("REALTIMEKIT_API_TOKEN", TOKEN);
    command
}

/// Runs it to its end: exit code, what it said, and what it said beside.
async fn run(hosted: &Hosted, data: &Path, more: &[&str]) -> (i32, String, String) {
    let mut command = import(hosted, data, more);
    let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    let (out, err) = (text(output.stdout), text(output.stderr));
    assert!(!out.contains(TOKEN) && !err.contains(TOKEN));
    (output.status.code().unwrap(), out, err)
}

/// The line of the table about these things: made, changed, as there, left, refused.
#[track_caller]
fn counts(out: &str, things: &str) -> [u64; 5] {
    let line = out.lines().find_map(|line| line.strip_prefix(things)).unwrap_or_else(|| panic!("no {things} in {out}"));
    let numbers: Vec<u64> = line.split_whitespace().map(|number| number.parse().unwrap()).collect();
    numbers.try_into().unwrap()
}

/// Asks Salon about an app that was brought.
async fn ask(node: &Node, method: &str, app: &str, path: &str, body: Option<Value>) -> Said {
    let path = format!("/client/v4/accounts/{DEV_ACCOUNT}/realtime/kit/{app}{path}");
    let call = Call::new(node.address.parse().unwrap(), method, &path).header("authorization", &format!("Bearer {DEV_TOKEN}"));
    match body {
        Some(body) => call.json(&body).send().await,
        None => call.send().await,
    }
}

async fn data(node: &Node, method: &str, app: &str, path: &str, body: Option<Value>) -> Value {
    ask(node, method, app, path, body).await.expect(200)["data"].take()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_made_at_the_service_is_here_and_its_people_come_in() {
    let folder = Folder::new();
    let node = Node::start(&folder);
    let hosted = Hosted::start().await;
    let app = hosted.app("Acme");
    let host = hosted.preset(&app, "host", |preset| preset["permissions"]["can_teleport"] = true.into());
    hosted.preset(&app, "too_fast", |preset| preset["config"]["media"]["video"]["frame_rate"] = 90.into());
    let settings = json!({ "preferred_region": "eu", "ai_config": { "summarization": { "word_limit": 200 } } });
    let meeting = hosted.meeting(&app, "Weekly", settings);
    let people: Vec<String> = (0..60).map(|n| hosted.person(&meeting, &format!("p{n}"), "host")).collect();
    hosted.person(&meeting, "racer", "too_fast");
    let closed = hosted.meeting(&app, "Closed", json!({ "status": "INACTIVE" }));
    hosted.kept().troubles.extend([Trouble::Says(500), Trouble::Busy(0), Trouble::Busy(1), Trouble::Says(502)]);

    // Nothing comes of a dry run but what it says.
    let (code, dry, _) = run(&hosted, &folder, &["--dry-run"]).await;
    assert_eq!((code, counts(&dry, "participants")), (1, [60, 0, 0, 0, 1]), "{dry}");
    assert_eq!(ask(&node, "GET", &app, "/meetings", None).await.status, 404, "there is no such app");

    let (code, out, err) = run(&hosted, &folder, &[]).await;
    assert_eq!(code, 1, "{out}{err}");
    assert_eq!(counts(&out, "apps"), [1, 0, 0, 0, 0]);
    assert_eq!(counts(&out, "presets"), [1, 0, 0, 0, 1]);
    assert_eq!(counts(&out, "meetings"), [2, 0, 0, 0, 0]);
    assert_eq!(counts(&out, "participants"), [60, 0, 0, 0, 1]);
    for said in [
        "`permissions.can_teleport` is not known here, and was left out",
        "`preferred_region` is not known here, and was left out",
        "\"config.media.video.frame_rate\" must be between 0 and 30",
        "its preset \"too_fast\" is not here",
        "Tokens of participants cannot come along",
    ] {
        assert!(out.contains(said), "{said}: {out}");
    }

    // It is told as it was told there, under the same ids.
    let told = data(&node, "GET", &app, &format!("/meetings/{meeting}"), None).await;
    assert_eq!(
        (&told["title"], &told["ai_config"], &told["created_at"], &told["session_keep_alive_time_in_secs"]),
        (&json!("Weekly"), &json!({ "summarization": { "word_limit": 200 } }), &json!("2024-02-01T10:00:00.000Z"), &json!(120))
    );
    assert_eq!(data(&node, "GET", &app, &format!("/meetings/{closed}"), None).await["status"], "INACTIVE");
    let preset = data(&node, "GET", &app, &format!("/presets/{host}"), None).await;
    assert_eq!((&preset["name"], &preset["permissions"]["kick_participant"]), (&json!("host"), &json!(true)));
    let listed = data(&node, "GET", &app, &format!("/meetings/{meeting}/participants?per_page=100"), None).await;
    let mut ids: Vec<_> = listed.as_array().unwrap().iter().map(|person| person["id"].as_str().unwrap().to_owned()).collect();
    let mut expected = people.clone();
    ids.sort();
    expected.sort();
    assert_eq!(ids, expected);

    // Who was brought is given a token as the SDKs ask for one, and comes in with it.
    let path = format!("/meetings/{meeting}/participants/{}/token", people[0]);
    let token = data(&node, "POST", &app, &path, None).await["token"].as_str().unwrap().to_owned();
    let person = Person {
        address: node.address.clone(),
        meeting: meeting.clone(),
        participant: people[0].clone(),
        name: "p0".to_owned(),
        token,
        peer: fresh(),
    };
    let inside = person.join().await;
    let live = data(&node, "GET", &app, &format!("/meetings/{meeting}/active-session"), None).await;
    assert_eq!(live["live_participants"], 1);
    inside.leave().await;

    // Whoever runs it answers for it.
    let log =
        Call::new(node.address.parse().unwrap(), "GET", &format!("/client/v4/accounts/{DEV_ACCOUNT}/audit-log?per_page=100"));
    let log = log.header("authorization", &format!("Bearer {DEV_TOKEN}")).send().await.expect(200);
    assert!(log.to_string().contains("salon import realtimekit"), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_second_time_only_what_differs_is_changed_and_nothing_is_deleted() {
    let folder = Folder::new();
    let node = Node::start(&folder);
    let hosted = Hosted::start().await;
    let app = hosted.app("Acme");
    hosted.preset(&app, "host", |_| {});
    let preset = hosted.preset(&app, "guest", |_| {});
    let meeting = hosted.meeting(&app, "Weekly", json!({}));
    let other = hosted.meeting(&app, "Other", json!({}));
    let people: Vec<String> = (0..3).map(|n| hosted.person(&meeting, &format!("p{n}"), "host")).collect();
    let (code, out, err) = run(&hosted, &folder, &[]).await;
    assert_eq!(code, 0, "{out}{err}");

    let asked = hosted.kept().asked.len();
    let (_, out, _) = run(&hosted, &folder, &[]).await;
    for (things, same) in [("apps", 1), ("presets", 2), ("meetings", 2), ("participants", 3)] {
        assert_eq!(counts(&out, things), [0, 0, same, 0, 0], "{things}: {out}");
    }
    let of_meetings = format!("/meetings/{meeting}");
    assert!(
        !hosted.kept().asked[asked..].iter().any(|path| path.ends_with(&of_meetings)),
        "what did not change is not read whole"
    );

    // There a title, a preset and a person change, and somebody is deleted; here another title does.
    let later = json!("2024-03-01T00:00:00.000Z");
    {
        let mut kept = hosted.kept();
        let weekly = kept.meetings.get_mut(&app).unwrap().iter_mut().find(|one| one["id"] == meeting.as_str()).unwrap();
        (weekly["title"], weekly["updated_at"]) = ("Daily".into(), later.clone());
        let guest = kept.presets.get_mut(&app).unwrap().iter_mut().find(|one| one["id"] == preset.as_str()).unwrap();
        (guest["permissions"]["can_record"], guest["updated_at"]) = (false.into(), later.clone());
        let group = kept.people.get_mut(&meeting).unwrap();
        (group[0]["preset_name"], group[0]["updated_at"]) = ("guest".into(), later.clone());
        group.remove(2);
        let other = kept.meetings.get_mut(&app).unwrap().iter_mut().find(|one| one["id"] == other.as_str()).unwrap();
        (other["title"], other["updated_at"]) = ("Theirs".into(), later);
    }
    data(&node, "PATCH", &app, &format!("/meetings/{other}"), Some(json!({ "title": "Ours" }))).await;
    let (code, out, err) = run(&hosted, &folder, &[]).await;
    assert_eq!(code, 0, "{out}{err}");
    assert_eq!(counts(&out, "presets"), [0, 1, 1, 0, 0]);
    assert_eq!(counts(&out, "meetings"), [0, 1, 0, 1, 0]);
    assert_eq!(counts(&out, "participants"), [0, 1, 1, 0, 0]);
    assert!(out.contains("some of its participants are here only; they stay"), "{out}");
    let title = async |id: &str| data(&node, "GET", &app, &format!("/meetings/{id}"), None).await["title"].clone();
    assert_eq!((title(&meeting).await, title(&other).await), (json!("Daily"), json!("Ours")));
    let first = data(&node, "GET", &app, &format!("/meetings/{meeting}/participants/{}", people[0]), None).await;
    assert_eq!(first["preset_name"], "guest");
    let deleted_there = ask(&node, "GET", &app, &format!("/meetings/{meeting}/participants/{}", people[2]), None).await;
    assert_eq!(deleted_there.status, 200);

    let (_, out, _) = run(&hosted, &folder, &["--overwrite"]).await;
    assert_eq!(counts(&out, "meetings"), [0, 1, 1, 0, 0], "{out}");
    assert_eq!(title(&other).await, "Theirs");
}

/// A child that is ended with the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_that_was_killed_goes_on_where_it_was() {
    let folder = Folder::new();
    let node = Node::start(&folder);
    let hosted = Hosted::start().await;
    let app = hosted.app("Acme");
    hosted.preset(&app, "host", |_| {});
    let meetings: Vec<String> = (0..6).map(|n| hosted.meeting(&app, &format!("m{n}"), json!({}))).collect();
    for meeting in &meetings {
        (0..30).for_each(|n| drop(hosted.person(meeting, &format!("p{n}"), "host")));
    }
    // apps, presets, the preset, meetings, then for each meeting itself and two pages: in the middle of the fourth.
    hosted.kept().hangs_from = Some(4 + 3 * 3 + 2);
    let command = import(&hosted, &folder, &[]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let mut running = Running(command);
    let hangs = async {
        while hosted.kept().asked.len() < 4 + 3 * 3 + 3 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(PATIENCE, hangs).await.expect("it comes so far");
    running.0.kill().unwrap();
    running.0.wait().unwrap();
    let asked = {
        let mut kept = hosted.kept();
        kept.hangs_from = None;
        kept.asked.len()
    };

    let (code, out, err) = run(&hosted, &folder, &[]).await;
    assert_eq!(code, 0, "{out}{err}");
    assert!(err.contains("going on with an import that was cut off"), "{err}");
    let again = hosted.kept().asked[asked..].to_vec();
    for done in &meetings[3..] {
        assert!(!again.iter().any(|path| path.contains(done)), "{done} was finished, and is not read again");
    }
    let [made, changed, same, left, refused] = counts(&out, "participants");
    // Of the meeting in which it was cut off some were here already.
    assert_eq!((made + same, changed, left, refused), (180, 0, 0, 0), "{out}");
    for meeting in &meetings {
        let path = format!("/meetings/{meeting}/participants?per_page=1");
        let listed = ask(&node, "GET", &app, &path, None).await.expect(200);
        assert_eq!(listed["paging"]["total_count"], 30);
    }
    let (_, out, err) = run(&hosted, &folder, &[]).await;
    assert!(!err.contains("cut off"), "{err}");
    assert_eq!(counts(&out, "participants"), [0, 0, 180, 0, 0]);
}

/// Has the import end when it asks for the people of this meeting; until that is taken back.
fn cut_off_at(hosted: &Hosted, meeting: &str) {
    let people = format!("/meetings/{meeting}/participants");
    hosted.kept().before = Some(Box::new(move |kept, path| {
        if path.ends_with(&people) {
            kept.troubles.push_back(Trouble::Busy(86_400));
        }
    }));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_that_was_cut_off_long_ago_reads_all_anew() {
    let folder = Folder::new();
    let node = Node::start(&folder);
    let hosted = Hosted::start().await;
    let app = hosted.app("Acme");
    hosted.preset(&app, "host", |_| {});
    // The newest is read first.
    let [last, first] = ["last", "first"].map(|title| hosted.meeting(&app, title, json!({})));
    cut_off_at(&hosted, &last);
    let (code, out, err) = run(&hosted, &folder, &[]).await;
    assert!(code == 1 && err.contains("start it again later"), "{out}{err}");
    {
        let mut kept = hosted.kept();
        kept.before = None;
        let changed = kept.meetings.get_mut(&app).unwrap().iter_mut().find(|one| one["id"] == first.as_str()).unwrap();
        (changed["title"], changed["updated_at"]) = ("changed".into(), json!("2024-03-01T00:00:00.000Z"));
        hosted_person(&mut kept, &first);
    }
    // As if it had begun the day before.
    let report = folder.join(format!("import-{ACCOUNT}.jsonl"));
    let text = std::fs::read_to_string(&report).unwrap();
    assert!(text.contains(&format!(r#""done":"{first}""#)), "{text}");
    let (_, began) = text.split_once(r#""started_at":""#).expect("it says when it began");
    let day = &began[..10];
    std::fs::write(&report, text.replacen(day, "2024-01-01", 1)).unwrap();

    let (code, out, err) = run(&hosted, &folder, &[]).await;
    assert_eq!(code, 0, "{out}{err}");
    assert!(err.contains("began more than an hour ago; all is read anew"), "{err}");
    assert_eq!((counts(&out, "meetings"), counts(&out, "participants")), ([0, 1, 1, 0, 0], [1, 0, 0, 0, 0]), "{out}");
    assert_eq!(data(&node, "GET", &app, &format!("/meetings/{first}"), None).await["title"], "changed");
}

/// Somebody more at the service.
fn hosted_person(kept: &mut crate::hosted::Kept, meeting: &str) {
    let (id, at) = (fresh(), "2024-03-01T00:00:00.000Z");
    let person = json!({
        "id": id, "name": "late", "custom_participant_id": "late", "preset_name": "host", "created_at": at, "updated_at": at,
    });
    kept.people.entry(meeting.to_owned()).or_default().push(person);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_that_goes_on_brings_whom_it_refused_before() {
    let folder = Folder::new();
    let node = Node::start(&folder);
    let hosted = Hosted::start().await;
    let app = hosted.app("Acme");
    hosted.preset(&app, "host", |_| {});
    hosted.preset(&app, "too_fast", |preset| preset["config"]["media"]["video"]["frame_rate"] = 90.into());
    let [last, first] = ["last", "first"].map(|title| hosted.meeting(&app, title, json!({})));
    let racer = hosted.person(&first, "racer", "too_fast");
    hosted.person(&first, "other", "host");
    cut_off_at(&hosted, &last);
    let (_, out, _) = run(&hosted, &folder, &[]).await;
    assert_eq!(counts(&out, "participants"), [1, 0, 0, 0, 1], "{out}");
    hosted.kept().before = None;
    let [preset, ..] = salon_wire::rest::default_presets::default_presets();
    let mut preset = serde_json::to_value(preset).unwrap();
    preset["name"] = "too_fast".into();
    assert_eq!(ask(&node, "POST", &app, "/presets", Some(preset)).await.status / 100, 2);

    let (_, out, err) = run(&hosted, &folder, &[]).await;
    assert!(err.contains("going on with an import that was cut off"), "{err}");
    assert_eq!(counts(&out, "participants"), [1, 0, 1, 0, 0], "{out}");
    assert_eq!(ask(&node, "GET", &app, &format!("/meetings/{first}/participants/{racer}"), None).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_brought_if_one_of_the_apps_is_not_there() {
    let folder = Folder::new();
    let node = Node::start(&folder);
    let hosted = Hosted::start().await;
    let app = hosted.app("Acme");
    let none = fresh();
    let (code, out, err) = run(&hosted, &folder, &["--app", &app, "--app", &none]).await;
    assert!(code == 1 && err.contains(&format!("has no app {none} at the service; nothing was brought")), "{out}{err}");
    assert_eq!(counts(&out, "apps"), [0; 5]);
    assert_eq!(ask(&node, "GET", &app, "/meetings", None).await.status, 404, "there is no such app");
    let (code, out, err) = run(&hosted, &folder, &["--app", &app]).await;
    assert!(code == 0 && counts(&out, "apps") == [1, 0, 0, 0, 0], "{out}{err}");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_was_deleted_or_erased_here_is_brought_back_by_no_import() {
    let folder = Folder::new();
    let node = Node::start(&folder);
    let hosted = Hosted::start().await;
    let app = hosted.app("Acme");
    hosted.preset(&app, "host", |_| {});
    let meeting = hosted.meeting(&app, "Weekly", json!({}));
    let [deleted, erased, stays] = ["deleted", "erased", "stays"].map(|name| hosted.person(&meeting, name, "host"));
    let (code, out, err) = run(&hosted, &folder, &[]).await;
    assert_eq!(code, 0, "{out}{err}");
    let mut tokens = Vec::new();
    for person in [&deleted, &erased, &stays] {
        let path = format!("/meetings/{meeting}/participants/{person}/token");
        tokens.push(data(&node, "POST", &app, &path, None).await["token"].as_str().unwrap().to_owned());
    }
    let let_in = async || {
        let mut statuses = Vec::new();
        for token in &tokens {
            let call = Call::new(node.address.parse().unwrap(), "GET", "/v2/internals/participant-details");
            statuses.push(call.header("authorization", &format!("Bearer {token}")).send().await.status);
        }
        statuses
    };
    assert_eq!(let_in().await, [200, 200, 200]);
    data(&node, "DELETE", &app, &format!("/meetings/{meeting}/participants/{deleted}"), None).await;
    data(&node, "POST", &app, "/erasures", Some(json!({ "custom_participant_id": "own-erased" }))).await;
    assert_eq!(let_in().await, [401, 401, 200]);

    for more in [&["--dry-run"][..], &[], &["--overwrite"]] {
        let (code, out, err) = run(&hosted, &folder, more).await;
        assert_eq!((code, counts(&out, "participants")), (1, [0, 0, 1, 0, 2]), "{out}{err}");
        assert!(out.contains("2 × participant: a participant of this id was deleted here"), "{out}");
        assert_eq!(let_in().await, [401, 401, 200], "and what was made for them opens nothing");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_deleted_there_meanwhile_hides_nothing_else() {
    let folder = Folder::new();
    let node = Node::start(&folder);
    let hosted = Hosted::start().await;
    let app = hosted.app("Acme");
    hosted.preset(&app, "host", |_| {});
    // Two pages of meetings, and two of people of the one that is read first.
    let meetings: Vec<String> = (0..30).map(|n| hosted.meeting(&app, &format!("m{n}"), json!({}))).collect();
    let first = meetings[29].clone();
    let people: Vec<String> = (0..30).map(|n| hosted.person(&first, &format!("p{n}"), "host")).collect();
    let (in_app, in_first, mut pages) = (app.clone(), first.clone(), [0, 0]);
    hosted.kept().before = Some(Box::new(move |kept, path| {
        // The one that was made last is on the first page.
        if path.ends_with("/meetings") {
            pages[0] += 1;
            if pages[0] == 2 {
                kept.meetings.get_mut(&in_app).unwrap().pop();
            }
        }
        if path.ends_with("/participants") && path.contains(&in_first) {
            pages[1] += 1;
            if pages[1] == 2 {
                kept.people.get_mut(&in_first).unwrap().pop();
            }
        }
    }));
    let (code, out, err) = run(&hosted, &folder, &[]).await;
    assert_eq!(code, 0, "{out}{err}");
    assert_eq!((counts(&out, "meetings"), counts(&out, "participants")), ([30, 0, 0, 0, 0], [30, 0, 0, 0, 0]), "{out}");
    for meeting in &meetings {
        assert_eq!(ask(&node, "GET", &app, &format!("/meetings/{meeting}"), None).await.status, 200);
    }
    let last = &people[0];
    assert_eq!(ask(&node, "GET", &app, &format!("/meetings/{first}/participants/{last}"), None).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_that_cannot_be_read_to_its_end_is_told_and_its_meeting_is_not_done() {
    let folder = Folder::new();
    let node = Node::start(&folder);
    let hosted = Hosted::start().await;
    let app = hosted.app("Acme");
    hosted.preset(&app, "host", |_| {});
    let [broken, whole] = ["broken", "whole"].map(|title| hosted.meeting(&app, title, json!({})));
    let person = hosted.person(&broken, "p", "host");
    let people = format!("/meetings/{broken}/participants");
    hosted.kept().before = Some(Box::new(move |kept, path| {
        if path.ends_with(&people) {
            kept.troubles.push_back(Trouble::Says(404));
        }
    }));
    let (code, out, err) = run(&hosted, &folder, &[]).await;
    assert!(code == 1 && err.contains("1 lists could not be read to their end: run this again"), "{out}{err}");
    assert!(out.contains("meeting: the list of participants is not there (404); run this again"), "{out}");
    let report = std::fs::read_to_string(folder.join(format!("import-{ACCOUNT}.jsonl"))).unwrap();
    let is_done = |meeting: &str| report.contains(&format!(r#""done":"{meeting}""#));
    assert!(is_done(&whole) && !is_done(&broken), "{report}");

    hosted.kept().before = None;
    let (code, out, err) = run(&hosted, &folder, &[]).await;
    assert_eq!((code, counts(&out, "participants")), (0, [1, 0, 0, 0, 0]), "{out}{err}");
    assert_eq!(ask(&node, "GET", &app, &format!("/meetings/{broken}/participants/{person}"), None).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_imported_from_says_why() {
    let folder = Folder::new();
    let hosted = Hosted::start().await;
    hosted.app("Acme");
    let wrong = async |more: &[&str], token: &str| {
        let mut command = import(&hosted, &folder, more);
        command.env("REALTIMEKIT_API_TOKEN", token);
        let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
        assert!(!output.status.success());
        String::from_utf8(output.stderr).unwrap()
    };
    let told = wrong(&[], "another").await;
    assert!(told.contains("refuses the API token") && !told.contains("another"), "{told}");
    assert!(wrong(&[], " ").await.contains("there is no API token: put it into REALTIMEKIT_API_TOKEN"));
    assert!(wrong(&["--app", &fresh()], TOKEN).await.contains("has no app"));
    let plain = Command::new(env!("CARGO_BIN_EXE_salon"))
        .args(["import", "realtimekit", "--account", ACCOUNT, "--base-url", "http://api.example.org"])
        .output()
        .unwrap();
    assert!(String::from_utf8(plain.stderr).unwrap().contains("must begin with https://"));
    hosted.kept().troubles.push_back(Trouble::Busy(86_400));
    let told = wrong(&[], TOKEN).await;
    assert!(told.contains("429") && told.contains("start it again later"), "{told}");
}

/// A shadow before Salon and the service, told to answer from Salon.
struct Shadow {
    process: Running,
    lines: std::io::Lines<BufReader<ChildStdout>>,
    address: SocketAddr,
}

impl Shadow {
    fn start(node: &Node, hosted: &Hosted, more: &[&str]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_salon"));
        command.args(["shadow", "--answer", "salon", "--listen", "127.0.0.1:0", "--salon", &format!("http://{}", node.address)]);
        command.args(["--upstream", &format!("http://{}", hosted.address)]).args(more);
        command.env_clear().env("SALON_SHADOW_TOKEN", TOKEN).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut process = Running(command.spawn().unwrap());
        let mut lines = BufReader::new(process.0.stdout.take().unwrap()).lines();
        let ready = lines.next().unwrap().unwrap();
        let address = ready.strip_prefix("salon ready http://").unwrap().parse().unwrap();
        Self { process, lines, address }
    }

    /// Ends it as an operator does; what it says at the end.
    fn end(mut self) -> String {
        let pid = rustix::process::Pid::from_raw(self.process.0.id().cast_signed()).unwrap();
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
        let said: Vec<String> = self.lines.map(Result::unwrap).collect();
        assert!(self.process.0.wait().unwrap().success());
        said.join("\n")
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shadow_answers_from_one_and_says_what_the_other_would_have_said() {
    let folder = Folder::new();
    let node = Node::start(&folder);
    let hosted = Hosted::start().await;
    let app = hosted.app("Acme");
    hosted.preset(&app, "host", |_| {});
    let meetings: Vec<String> = (0..3).map(|n| hosted.meeting(&app, &format!("m{n}"), json!({}))).collect();
    let set = format!("--set=data={}", folder.display());
    let token = Command::new(env!("CARGO_BIN_EXE_salon")).args(["token", "create", "--account", ACCOUNT, &set]).output().unwrap();
    let token = String::from_utf8(token.stdout).unwrap().trim().to_owned();
    let mut import = Command::new(env!("CARGO_BIN_EXE_salon"));
    import
        .args(["import", "realtimekit", "--account", ACCOUNT, "--base-url", &hosted.base(), &set])
        .env("REALTIMEKIT_API_TOKEN", TOKEN);
    let imported = tokio::task::spawn_blocking(move || import.output().unwrap()).await.unwrap();
    assert!(imported.status.success(), "{}", String::from_utf8_lossy(&imported.stderr));

    // Since then a title was changed there, and a meeting was made. And it tells of something with links in it.
    {
        let mut kept = hosted.kept();
        let told = &mut kept.meetings.get_mut(&app).unwrap()[0];
        told["title"] = "theirs".into();
        told["past"] = json!([{ "transcript_download_url": "https://r2/x?X-Amz-Signature=geheim", "stream_key": "geheim" }]);
    }
    let there_only = hosted.meeting(&app, "new", json!({}));
    let report = folder.join("differs.jsonl");
    let shadow = Shadow::start(&node, &hosted, &["--report", report.to_str().unwrap()]);
    let before = hosted.kept().asked.len();
    let kit = format!("/client/v4/accounts/{ACCOUNT}/realtime/kit");
    let ask = async |method: &str, path: &str, token: &str| {
        let call = Call::new(shadow.address, method, &format!("{kit}{path}")).header("authorization", &format!("Bearer {token}"));
        call.send().await
    };
    let told = ask("GET", &format!("/{app}/meetings/{}", meetings[0]), &token).await.expect(200);
    assert_eq!(told["data"]["title"], "m0", "the answer is Salon's");
    assert_eq!(ask("GET", &format!("/{app}/meetings/{}?sig=geheim", meetings[1]), &token).await.status, 200);
    assert_eq!(ask("GET", &format!("/{app}/meetings"), &token).await.status, 200);
    assert_eq!(ask("GET", &format!("/{app}/meetings/{there_only}"), &token).await.status, 404);
    // A change goes to Salon only, and so does a stranger.
    assert_eq!(ask("POST", &format!("/{app}/meetings"), &token).await.status, 201);
    assert_eq!(ask("GET", &format!("/{app}/presets"), "stranger").await.status, 403);
    // Streams are handed on as they come.
    let path = format!("{kit}/{app}/meetings/{}/active-session/people/stream?wait=1", meetings[0]);
    let mut stream = Stream::open(shadow.address, &path, &[("authorization", &format!("Bearer {token}"))]).await.unwrap();
    assert_eq!(stream.next().await.unwrap().name, "none");
    drop(stream);

    let compared = async {
        while hosted.kept().asked.len() < before + 4 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(PATIENCE, compared).await.expect("the service is asked as well");
    let said = shadow.end();
    let asked: Vec<String> = hosted.kept().asked[before..].to_vec();
    assert_eq!(asked.len(), 4, "{asked:?}");
    for part in [
        "       1       2       0         0  GET /client/v4/accounts/{account}/realtime/kit/{app}/meetings/{id}",
        "1× data.title: another value",
        "1× status 404 at salon, 200 at upstream",
        "1× data[].title: another value",
        "1× data[].past: only at upstream",
        "1× data[]: only at upstream",
        "1× paging.total_count: another value",
        "       0       0       0         1  GET /client/v4/accounts/{account}/realtime/kit/{app}/presets",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
    let lines = std::fs::read_to_string(&report).unwrap();
    assert_eq!(lines.lines().count(), 3, "{lines}");
    assert!(lines.contains(r#""salon":"m0""#) && lines.contains(r#""upstream":"theirs""#), "{lines}");
    assert!(lines.contains(r#""upstream":[{"stream_key":"(string)","transcript_download_url":"(string)"}]"#), "{lines}");
    for secret in [token.as_str(), TOKEN, "geheim", "stranger"] {
        assert!(!lines.contains(secret) && !said.contains(secret));
    }
}
