//! The audit log over REST: every call that changes something is in it once, with ids and nothing else.

use serde_json::{Value, json};

use crate::support::{KIT, Said, TestApp, Text, preset_body};

const ACCOUNT: &str = "/client/v4/accounts/dev";

async fn ask(app: &TestApp, secret: &str, method: &str, path: &str, body: Value) -> Said {
    app.bare(method, path).header("authorization", &format!("Bearer {secret}")).json(&body).send().await
}

/// The log, oldest first.
async fn log(app: &TestApp, secret: &str, query: &str) -> Vec<Value> {
    let path = format!("{ACCOUNT}/audit-log?sort_order=ASC&per_page=100&{query}");
    let said = ask(app, secret, "GET", &path, json!({})).await.expect(200);
    let items = said["data"].as_array().expect("a list").clone();
    assert_eq!(said["paging"]["total_count"], items.len());
    items
}

#[tokio::test]
async fn whatever_is_done_is_noted_once_with_ids_and_nothing_else() {
    let app = TestApp::dev().await;
    let mut expected: Vec<(String, Vec<(String, String)>)> = Vec::new();
    let mut done = async |method: &str, path: String, template: &str, body: Value, subjects: Vec<(&str, String)>| {
        let said = ask(&app, "dev-token", method, &path, body).await;
        assert!((200..300).contains(&said.status), "{method} {path}: {}", said.json());
        let data = said.json()["data"].clone();
        let id =
            || data["id"].as_str().or(data["app"]["id"].as_str()).or(data["poll"]["id"].as_str()).unwrap_or_default().to_owned();
        let filled = subjects.into_iter().map(|(kind, of)| (kind.to_owned(), if of == "new" { id() } else { of }));
        expected.push((format!("{method} {template}"), filled.collect()));
        data
    };
    let kit = |path: &str| format!("{KIT}{path}");
    let of = |kind: &'static str, id: &str| (kind, id.to_owned());
    let new = |kind: &'static str| (kind, "new".to_owned());

    let apps = format!("{ACCOUNT}/realtime/kit/apps");
    done("POST", apps, "/realtime/kit/apps", json!({"name": "Secret plan"}), vec![new("app")]).await;
    let body = json!({"title": "Secret plan"});
    let meeting = done("POST", kit("/meetings"), "/meetings", body.clone(), vec![new("meeting")]).await["id"].text();
    let at = format!("/meetings/{meeting}");
    let m = || of("meeting", &meeting);
    done("PATCH", kit(&at), "/meetings/{meeting_id}", body.clone(), vec![m()]).await;
    done("PUT", kit(&at), "/meetings/{meeting_id}", body, vec![m()]).await;
    let preset = preset_body("Secret plan");
    let preset = done("POST", kit("/presets"), "/presets", preset, vec![new("preset")]).await["id"].text();
    done("PATCH", kit(&format!("/presets/{preset}")), "/presets/{preset_id}", json!({"name": "x"}), vec![of("preset", &preset)])
        .await;
    done("DELETE", kit(&format!("/presets/{preset}")), "/presets/{preset_id}", json!({}), vec![of("preset", &preset)]).await;
    let person = json!({"name": "Secret plan", "preset_name": "group_call_host", "custom_participant_id": "secret-plan"});
    let people = format!("{at}/participants");
    let template = "/meetings/{meeting_id}/participants";
    let ada = done("POST", kit(&people), template, person, vec![m(), new("participant")]).await["id"].text();
    let a = || of("participant", &ada);
    let (one, one_template) = (format!("{people}/{ada}"), format!("{template}/{{participant_id}}"));
    done("PATCH", kit(&one), &one_template, json!({"name": "Secret plan"}), vec![m(), a()]).await;
    done("POST", kit(&format!("{one}/token")), &format!("{one_template}/token"), json!({}), vec![m(), a()]).await;
    app.join(&ada).await;
    let live = format!("{at}/active-session");
    let (bob, _) = app.enter(&meeting, "bob").await;
    expected_of_support(&mut expected, &meeting, &bob);
    let mut done = async |what: &str, body: Value, subjects: Vec<(&str, String)>| {
        let said = ask(&app, "dev-token", "POST", &kit(&format!("{live}/{what}")), body).await;
        assert!((200..300).contains(&said.status), "{what}: {}", said.json());
        let poll = said.json()["data"]["poll"]["id"].as_str().unwrap_or_default().to_owned();
        let filled = subjects.into_iter().map(|(kind, of)| (kind.to_owned(), if of == "new" { poll.clone() } else { of }));
        expected.push((format!("POST /meetings/{{meeting_id}}/active-session/{what}"), filled.collect()));
    };
    let b = || of("participant", &bob);
    done("mute", json!({"participant_ids": [bob]}), vec![m(), b()]).await;
    done("mute-all", json!({"allow_unmute": false}), vec![m()]).await;
    done("poll", json!({"question": "Secret plan", "options": ["a", "b"]}), vec![m(), new("poll")]).await;
    done("kick", json!({"custom_participant_ids": ["bob"]}), vec![m(), b()]).await;
    done("kick-all", json!({}), vec![m()]).await;
    ask(&app, "dev-token", "DELETE", &kit(&one), json!({})).await.expect(200);
    expected.push((format!("DELETE {one_template}"), vec![("meeting".into(), meeting.clone()), ("participant".into(), ada)]));
    // What came to nothing is nothing.
    ask(&app, "dev-token", "DELETE", &kit(&one), json!({})).await.refused(404);
    ask(&app, "dev-token", "POST", &kit("/meetings"), json!({"title": 5})).await.refused(400);
    ask(&app, "dev-token", "POST", &kit(&format!("{live}/kick-all")), json!({})).await.refused(404);
    ask(&app, "dev-token", "POST", &kit("/nothing"), json!({})).await.refused(404);
    ask(&app, "wrong", "POST", &kit("/meetings"), json!({"title": "x"})).await.refused(403);
    ask(&app, "dev-token", "GET", &kit("/meetings"), json!({})).await.expect(200);

    let entries = log(&app, "dev-token", "").await;
    let pairs = |entry: &Value| {
        let subjects = entry["subjects"].as_array().expect("a list").iter();
        subjects.map(|subject| (subject["type"].text(), subject["id"].text())).collect::<Vec<_>>()
    };
    let found: Vec<_> = entries.iter().map(|entry| (entry["action"].text(), pairs(entry))).collect();
    assert_eq!(found, expected);
    let key = ask(&app, "dev-token", "GET", &format!("{ACCOUNT}/api-keys"), json!({})).await.expect(200)["data"][0]["id"].clone();
    for (entry, number) in entries.iter().zip(1..) {
        assert_eq!(entry["actor"], json!({"type": "api_key", "id": key}));
        assert_eq!((&entry["number"], &entry["from"], &entry["outcome"]), (&json!(number), &json!("127.0.0.1"), &json!("done")));
    }
    let all = Value::from(entries).to_string().to_lowercase();
    for word in ["secret", "dev-token", "bob\""] {
        assert!(!all.contains(word), "{word}: {all}");
    }
    let chain = app.running.doors.store.verify_audit_log(&salon_core::AccountId::parse("dev").expect("an id")).await;
    assert!(matches!(chain, Ok(salon_store::Chain::Whole { entries, .. }) if entries == expected.len() as u64), "{chain:?}");
}

/// What the support did over REST when it let somebody in.
fn expected_of_support(expected: &mut Vec<(String, Vec<(String, String)>)>, meeting: &str, person: &str) {
    let subjects = vec![("meeting".to_owned(), meeting.to_owned()), ("participant".to_owned(), person.to_owned())];
    expected.push(("POST /meetings/{meeting_id}/participants".to_owned(), subjects));
}

#[tokio::test]
async fn keys_and_what_they_may_not_do_are_in_the_log_and_each_sees_what_is_its_own() {
    let app = TestApp::dev().await;
    let make = async |body: Value| {
        let made = ask(&app, "dev-token", "POST", &format!("{ACCOUNT}/api-keys"), body).await.expect(201)["data"].clone();
        (made["id"].text(), made["secret"].text())
    };
    let (reader_id, reader) = make(json!({"scope": "read"})).await;
    let (limited_id, limited) = make(json!({"scope": "manage", "app_id": "dev"})).await;
    let other = ask(&app, "dev-token", "POST", "/accounts/dev/realtime/kit/apps", json!({"name": "other"})).await;
    let other = other.expect(200)["data"]["app"]["id"].text();
    ask(&app, &reader, "POST", &format!("{KIT}/meetings"), json!({"title": "x"})).await.refused(403);
    ask(&app, &limited, "POST", &format!("{ACCOUNT}/realtime/kit/{other}/meetings"), json!({})).await.refused(403);
    ask(&app, &limited, "POST", &format!("{ACCOUNT}/api-keys"), json!({"scope": "read"})).await.refused(403);
    ask(&app, &limited, "POST", &format!("{KIT}/meetings"), json!({"title": "x"})).await.expect(201);
    ask(&app, "dev-token", "POST", &format!("{ACCOUNT}/api-keys/{limited_id}/rotate"), json!({})).await.expect(201);

    let lines = |entries: Vec<Value>| -> Vec<String> {
        entries.iter().map(|entry| format!("{} {}", entry["outcome"].text(), entry["action"].text())).collect()
    };
    let all = [
        "done POST /api-keys",
        "done POST /api-keys",
        "done POST /realtime/kit/apps",
        "refused POST /meetings",
        "refused POST /meetings",
        "refused POST /api-keys",
        "done POST /meetings",
        "done POST /api-keys/{key_id}/rotate",
    ];
    assert_eq!(lines(log(&app, "dev-token", "").await), all);
    assert_eq!(lines(log(&app, &reader, "").await), all, "reading is what it is for");
    assert_eq!(lines(log(&app, &limited, "").await), ["refused POST /meetings", "refused POST /api-keys", "done POST /meetings"]);
    ask(&app, &limited, "GET", &format!("{ACCOUNT}/audit-log?app_id={other}"), json!({})).await.refused(403);
    assert_eq!(lines(log(&app, "dev-token", &format!("app_id={other}")).await), ["refused POST /meetings"]);
    assert_eq!(lines(log(&app, "dev-token", &format!("actor_id={reader_id}")).await), ["refused POST /meetings"]);
    assert_eq!(lines(log(&app, "dev-token", &format!("subject_id={limited_id}")).await), [all[1], all[7]]);
    assert_eq!(log(&app, "dev-token", "outcome=refused").await.len(), 3);
    assert_eq!(log(&app, "dev-token", "action=POST%20/api-keys").await.len(), 3);
    assert_eq!(log(&app, "dev-token", "start_time=2999-01-01").await.len(), 0);
    for bad in ["outcome=maybe", "app_id=", "subject_id=a%20b", "start_time=now", "per_page=x"] {
        ask(&app, "dev-token", "GET", &format!("{ACCOUNT}/audit-log?{bad}"), json!({})).await.refused(400);
    }
    app.other_account("theirs", "their-key", None).await;
    ask(&app, "their-key", "GET", &format!("{ACCOUNT}/audit-log"), json!({})).await.refused(403);
}
