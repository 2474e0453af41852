//! Webhooks of a whole node: made and changed as the contract has it, told in order, looked back at.

use std::time::{Duration, Instant};

use aws_lc_rs::signature::{RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use salon_core::PeerId;
use salon_wire::rest::webhooks::WebhookEvent;
use serde_json::{Value, json};

use crate::receiver::{Heard, Mood, Receiver, names};
use crate::support::contract::agrees;
use crate::support::{Said, TestApp, Text};

const UNKNOWN: &str = "00000000-0000-4000-8000-000000000000";
const ALL: [&str; 4] = ["meeting.started", "meeting.ended", "meeting.participantJoined", "meeting.participantLeft"];

/// Makes a webhook and answers with its id.
async fn hook(app: &TestApp, url: &str, events: &[&str]) -> String {
    let body = json!({"name": "Hook", "url": url, "events": events});
    app.post("/webhooks", body).await.expect(201)["data"]["id"].text()
}

async fn patch(app: &TestApp, hook: &str, body: Value) -> Said {
    app.call("PATCH", &format!("/webhooks/{hook}")).json(&body).send().await
}

/// The deliveries of a webhook, oldest first, once all of them are as `done` wants them.
async fn deliveries(app: &TestApp, hook: &str, done: impl Fn(&[Value]) -> bool) -> Vec<Value> {
    let until = Instant::now() + Duration::from_secs(30);
    loop {
        let list = app.get(&format!("/webhooks/{hook}/deliveries?sort_order=ASC&per_page=100")).await.expect(200);
        let list = list["data"].as_array().expect("a list").clone();
        if done(&list) {
            return list;
        }
        assert!(Instant::now() < until, "deliveries stay as they are: {list:#?}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

fn delivered(list: &[Value]) -> bool {
    list.iter().all(|delivery| delivery["status"] == "DELIVERED")
}

async fn end(app: &TestApp, meeting: &str) {
    app.post(&format!("/meetings/{meeting}/active-session/kick-all"), json!({})).await.expect(200);
}

/// Checks the signature of the product's own way with the key that anybody can fetch.
async fn check_signature(app: &TestApp, heard: &Heard) {
    let answer = agrees("GET", "/.well-known/webhooks.json", &app.bare("GET", "/.well-known/webhooks.json").send().await);
    assert_eq!(answer["message"], "");
    let pem = answer["data"]["publicKey"].text();
    let lines: Vec<&str> = pem.lines().filter(|line| !line.starts_with("-----")).collect();
    let key = STANDARD.decode(lines.concat()).expect("base64");
    let signature = STANDARD.decode(heard.header("rtk-signature")).expect("base64");
    let key = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, key);
    key.verify(&heard.body, &signature).expect("the signature is of these bytes");
    let anew = serde_json::to_vec(&heard.json()).expect("plain data");
    assert_eq!(anew.len(), heard.body.len(), "it is compact");
}

#[tokio::test]
async fn they_are_made_found_changed_and_deleted_as_the_contract_has_it() {
    let app = TestApp::dev().await;
    let body = json!({"name": "Hook", "url": "https://example.org/hook?key=x", "events": ["meeting.ended", "meeting.started"]});
    let made = agrees("POST", "/webhooks", &app.post("/webhooks", body.clone()).await)["data"].clone();
    assert_eq!(made["events"], json!(["meeting.started", "meeting.ended"]));
    assert_eq!((&made["name"], &made["url"], &made["enabled"]), (&body["name"], &body["url"], &json!(true)));
    let one = format!("/webhooks/{}", made["id"].text());
    assert_eq!(agrees("GET", "/webhooks/{webhook_id}", &app.get(&one).await)["data"], made);
    let patched = json!({"enabled": false, "events": ["recording.statusUpdate"], "name": null});
    let said = app.call("PATCH", &one).json(&patched).send().await;
    let patched = agrees("PATCH", "/webhooks/{webhook_id}", &said)["data"].clone();
    let mut expected = made.clone();
    expected["enabled"] = false.into();
    expected["events"] = json!(["recording.statusUpdate"]);
    expected["updated_at"] = patched["updated_at"].clone();
    assert_eq!(patched, expected);
    let said = app.call("PUT", &one).json(&body).send().await;
    let replaced = agrees("PUT", "/webhooks/{webhook_id}", &said)["data"].clone();
    assert_eq!((&replaced["enabled"], &replaced["created_at"]), (&json!(true), &made["created_at"]));
    let other = app.post("/webhooks", body).await.expect(201)["data"].clone();
    let list = agrees("GET", "/webhooks", &app.get("/webhooks").await);
    assert_eq!(list["data"], json!([other, replaced]));
    assert!(list.get("paging").is_none());
    let all = agrees("GET", "/webhooks/all", &app.get("/webhooks/all").await);
    assert_eq!(all["data"].as_array().expect("a list").len(), 9);
    let said = app.call("DELETE", &one).send().await;
    assert_eq!(agrees("DELETE", "/webhooks/{webhook_id}", &said)["data"], replaced);
    for method in ["GET", "PATCH", "DELETE"] {
        assert_eq!(app.call(method, &one).send().await.refused(404), format!("No webhook found with id {}", made["id"].text()));
    }
    for (method, path) in [("POST", "/test"), ("POST", "/secret"), ("DELETE", "/secret"), ("GET", "/deliveries")] {
        app.call(method, &format!("/webhooks/{UNKNOWN}{path}")).send().await.refused(404);
    }
    assert_eq!(app.get("/webhooks/x").await.refused(400), "BAD_REQUEST: \"webhook_id\" must be a valid GUID");
    // Another account's app has its own.
    let theirs = app.other_account("theirs", "their-key", None).await;
    let path = format!("/client/v4/accounts/theirs/realtime/kit/{theirs}/webhooks");
    let ask = |path: &str| app.bare("GET", path).header("authorization", "Bearer their-key");
    assert_eq!(ask(&path).send().await.expect(200)["data"], json!([]));
    ask(&format!("{path}/{}", other["id"].text())).send().await.refused(404);
}

#[tokio::test]
async fn what_is_wrong_is_named_and_private_networks_are_refused() {
    let app = TestApp::dev().await;
    let good = json!({"name": "Hook", "url": "https://example.org/", "events": ["meeting.started"]});
    let with = |name: &str, value: Value| {
        let mut body = good.clone();
        body[name] = value;
        body
    };
    let private = "\"url\" must not lead into a private network (webhooks.allow opens networks)";
    for (body, why) in [
        (json!({}), "\"name\" is required"),
        (json!({"name": "x"}), "\"url\" is required"),
        (json!({"name": "x", "url": "https://example.org/"}), "\"events\" is required"),
        (with("name", "".into()), "\"name\" is not allowed to be empty"),
        (with("name", 5.into()), "\"name\" must be a string"),
        (with("enabled", "yes".into()), "\"enabled\" must be a boolean"),
        (with("events", json!([])), "\"events\" is not allowed to be empty"),
        (with("events", "meeting.started".into()), "\"events\" must be an array"),
        (with("url", "example.org".into()), "\"url\" must be a valid uri"),
        (with("url", "ftp://example.org/".into()), "\"url\" must begin with https:// or http://"),
        (with("url", "https://me:secret@example.org/".into()), "\"url\" must not hold a user name or password"),
        (with("url", "http://10.0.0.1/".into()), private),
        (with("url", "http://167772161/".into()), private),
        (with("url", "http://012.0.0.1/".into()), private),
        (with("url", "http://[::ffff:10.0.0.1]/".into()), private),
        (with("url", "http://169.254.169.254/latest/".into()), private),
        (with("url", "http://[fe80::1]/".into()), private),
    ] {
        assert_eq!(app.post("/webhooks", body).await.refused(400), format!("BAD_REQUEST: {why}"));
    }
    let said = app.post("/webhooks", with("events", json!(["meeting.sang"]))).await.refused(400);
    assert!(said.contains("meeting.started") && said.contains("events"), "{said}");
    let hook = app.post("/webhooks", good.clone()).await.expect(201)["data"]["id"].text();
    assert_eq!(patch(&app, &hook, json!({"url": "http://192.168.0.1/"})).await.refused(400), format!("BAD_REQUEST: {private}"));
    for _ in 1..32 {
        app.post("/webhooks", good.clone()).await.expect(201);
    }
    assert!(app.post("/webhooks", good).await.refused(422).contains("at most 32"));
}

#[tokio::test]
async fn whoever_listens_hears_a_meeting_from_start_to_end() {
    let app = TestApp::dev().await;
    let receiver = Receiver::start(Mood::Says(200)).await;
    let id = hook(&app, &receiver.url, &ALL).await;
    let deaf = Receiver::start(Mood::Says(200)).await;
    let off = hook(&app, &deaf.url, &ALL).await;
    patch(&app, &off, json!({"enabled": false})).await.expect(200);
    hook(&app, &deaf.url, &["recording.statusUpdate", "meeting.transcript"]).await;

    let meeting = app.meeting("Planning").await;
    let (_, ada) = app.enter(&meeting, "ada").await;
    app.enter(&meeting, "bob").await;
    let live = app.get(&format!("/meetings/{meeting}/active-session")).await.expect(200)["data"].clone();
    app.leave(&meeting, &ada).await;
    end(&app, &meeting).await;
    let heard = receiver.hears(6).await;
    let told =
        ["started", "participantJoined ada", "participantJoined bob", "participantLeft ada", "participantLeft bob", "ended"];
    assert_eq!(names(&heard), told);
    for one in &heard {
        assert_eq!((one.header("content-type"), one.header("rtk-webhook-id")), ("application/json", id.as_str()));
        let meeting = &one.json()["meeting"];
        for (name, value) in [("id", "meeting"), ("roomName", "meeting"), ("sessionId", "session")] {
            let expected = if value == "meeting" { &live["associated_id"] } else { &live["id"] };
            assert_eq!(&meeting[name], expected, "{name}");
        }
        assert_eq!((&meeting["startedAt"], &meeting["createdAt"]), (&live["started_at"], &live["created_at"]));
        assert_eq!(meeting["organizedBy"], json!({"id": "dev", "name": "dev"}));
        assert_eq!((&meeting["status"], &meeting["title"]), (&json!("LIVE"), &json!("Planning")));
    }
    assert_eq!(heard[5].json()["reason"], "HOST_ENDED_MEETING");
    let who = heard[3].json()["participant"].clone();
    let found = app.get(&format!("/sessions/{}/participants/{ada}", live["id"].text())).await.expect(200);
    let found = &found["data"]["participant"];
    assert_eq!((&who["joinedAt"], &who["leftAt"]), (&found["joined_at"], &found["left_at"]));
    assert_eq!((&who["peerId"], &who["customParticipantId"]), (&json!(ada.as_str()), &json!("ada")));
    check_signature(&app, &heard[0]).await;
    check_signature(&app, &heard[5]).await;
    let list = deliveries(&app, &id, delivered).await;
    assert_eq!(list.len(), 6);
    for (delivery, one) in list.iter().zip(&heard) {
        assert_eq!((&delivery["id"], &delivery["payload"]), (&json!(one.id()), &one.json()));
        assert_eq!(
            (&delivery["tries"], &delivery["response_status"], &delivery["response"]),
            (&json!(1), &json!(200), &json!("seen"))
        );
    }
    assert!(deaf.heard().is_empty(), "{:?}", names(&deaf.heard()));
}

#[tokio::test]
async fn what_fails_is_tried_again_in_its_turn_and_what_is_refused_is_not() {
    let app = TestApp::dev().await;
    let receiver = Receiver::start(Mood::Says(503)).await;
    let elsewhere = Receiver::start(Mood::Says(200)).await;
    let id = hook(&app, &receiver.url, &ALL).await;
    let meeting = app.meeting("Planning").await;
    let (_, ada) = app.enter(&meeting, "ada").await;
    receiver.hears(1).await;
    let list = deliveries(&app, &id, |list| list.len() == 2 && list[0]["tries"] == 1).await;
    let states: Vec<_> = list.iter().map(|one| (one["status"].text(), one["response_status"].as_u64())).collect();
    assert_eq!(states, [("PENDING".to_owned(), Some(503)), ("PENDING".to_owned(), None)], "the second waits for the first");
    assert!(list[0]["next_try_at"].text() > list[0]["last_tried_at"].text());
    for mood in [Mood::HangsUp, Mood::Says(500)] {
        receiver.is(mood);
        let before = receiver.heard().len();
        // A change of the webhook has it tried at once.
        patch(&app, &id, json!({})).await.expect(200);
        receiver.hears(before + 1).await;
        deliveries(&app, &id, |list| list[0]["tries"] == before + 1).await;
    }
    receiver.is(Mood::Says(200));
    patch(&app, &id, json!({})).await.expect(200);
    let list = deliveries(&app, &id, delivered).await;
    assert_eq!((&list[0]["tries"], &list[1]["tries"]), (&json!(4), &json!(1)));
    let heard = receiver.heard();
    assert!(heard[..4].iter().all(|one| one.id() == heard[0].id() && one.body == heard[0].body), "its id stays");
    assert_eq!(names(&receiver.taken()), ["started", "participantJoined ada"]);

    // What a receiver refuses or sends elsewhere is not told again, and holds up nothing.
    receiver.is(Mood::Redirects(elsewhere.url.clone()));
    app.leave(&meeting, &ada).await;
    deliveries(&app, &id, |list| list[2]["status"] == "FAILED").await;
    receiver.is(Mood::Says(410));
    app.enter(&meeting, "bob").await;
    let list = deliveries(&app, &id, |list| list.len() == 4 && list[3]["status"] == "FAILED").await;
    assert_eq!((&list[2]["response_status"], &list[3]["response_status"]), (&json!(302), &json!(410)));
    assert!(elsewhere.heard().is_empty(), "redirects are not followed");
    receiver.is(Mood::Says(200));
    end(&app, &meeting).await;
    let list = deliveries(&app, &id, |list| list.len() == 6 && list[5]["status"] == "DELIVERED").await;

    // Asked for, it is told again under another id.
    let again = app.post(&format!("/webhooks/{id}/deliveries/{}/redeliver", list[2]["id"].text()), json!({})).await.expect(201);
    assert_ne!(again["data"]["id"], list[2]["id"]);
    assert_eq!(again["data"]["payload"], list[2]["payload"]);
    let one = format!("/webhooks/{id}/deliveries/{}", again["data"]["id"].text());
    let told = |list: &[Value]| list.iter().any(|one| one["id"] == again["data"]["id"] && one["status"] == "DELIVERED");
    deliveries(&app, &id, told).await;
    assert_eq!(receiver.taken().last().map(Heard::name).as_deref(), Some("participantLeft ada"));
    app.get(&one).await.expect(200);
    app.get(&format!("/webhooks/{id}/deliveries/{UNKNOWN}")).await.refused(404);
    for (query, count) in [
        ("status=FAILED", 2),
        ("event=meeting.started", 1),
        (&format!("session_id={UNKNOWN}"), 0),
        (&format!("session_id={}&status=DELIVERED", list[0]["session_id"].text()), 5),
        ("per_page=3", 3),
    ] {
        let found = app.get(&format!("/webhooks/{id}/deliveries?{query}")).await.expect(200);
        assert_eq!(found["data"].as_array().map(Vec::len), Some(count), "{query}");
    }
    for bad in ["status=GONE", "event=meeting.sang", "session_id=x"] {
        app.get(&format!("/webhooks/{id}/deliveries?{bad}")).await.refused(400);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn receivers_that_hang_harm_no_other() {
    let app = TestApp::dev().await;
    let (quick, mut dead) = (Receiver::start(Mood::Says(200)).await, Vec::new());
    for _ in 0..6 {
        let receiver = Receiver::start(Mood::Hangs).await;
        hook(&app, &receiver.url, &ALL).await;
        dead.push(receiver);
    }
    let id = hook(&app, &quick.url, &ALL).await;
    let (mut meetings, mut joined) = (Vec::new(), Vec::new());
    for number in 0..20 {
        let meeting = app.meeting(&format!("Meeting {number}")).await;
        let participant = app.participant(&meeting, "group_call_participant", "ada").await["id"].text();
        let began = Instant::now();
        app.join(&participant).await;
        meetings.push(meeting);
        joined.push(began);
    }
    let heard = quick.hears(40).await;
    let mut took: Vec<_> = heard
        .iter()
        .filter(|one| one.name() == "participantJoined ada")
        .map(|one| {
            let at = meetings.iter().position(|meeting| one.json()["meeting"]["id"] == *meeting).expect("a known meeting");
            one.at - joined[at]
        })
        .collect();
    took.sort();
    println!("from join to receiver beside 6 that hang: median {:?}, longest {:?}", took[10], took[19]);
    // One that hangs is waited for for 5 s.
    assert!(took[19] < Duration::from_secs(4), "{took:?}");
    for receiver in &dead {
        assert!(receiver.heard().len() <= 8, "of one that does not answer little is asked");
    }
    deliveries(&app, &id, delivered).await;
}

#[tokio::test]
async fn it_can_be_tested_replayed_and_signed_in_the_standards_way() {
    let app = TestApp::dev().await;
    let receiver = Receiver::start(Mood::Says(200)).await;
    let before = app.running.doors.clock.now();
    let meeting = app.meeting("Planning").await;
    let (_, ada): (_, PeerId) = app.enter(&meeting, "ada").await;
    app.leave(&meeting, &ada).await;
    end(&app, &meeting).await;
    // It is made when all is over, and hears of it still.
    let id = hook(&app, &receiver.url, &["meeting.participantLeft", "meeting.ended"]).await;
    let span = |from: i64, to: i64| {
        let time = |at| salon_doors::rfc3339::rfc3339(before.plus_ms(at));
        json!({"start_time": time(from), "end_time": time(to)})
    };
    let replay = format!("/webhooks/{id}/replay");
    assert_eq!(app.post(&replay, span(-9_000, -5_000)).await.expect(200)["data"], json!({"deliveries": 0}));
    assert_eq!(app.post(&replay, span(-1, 60_000)).await.expect(200)["data"], json!({"deliveries": 2}));
    assert_eq!(names(&receiver.hears(2).await), ["participantLeft ada", "ended"]);
    let mut all = span(-1, 60_000);
    all["events"] = json!(ALL);
    assert_eq!(app.post(&replay, all).await.expect(200)["data"], json!({"deliveries": 4}));
    receiver.hears(6).await;
    let bad = app.post(&replay, json!({"start_time": "now", "end_time": "then"})).await.refused(400);
    assert_eq!(bad, "BAD_REQUEST: \"start_time\" must be in ISO 8601 date format");
    assert!(app.post(&replay, span(5, 1)).await.refused(400).contains("end_time"));

    let test = format!("/webhooks/{id}/test");
    let made = app.post(&test, json!({})).await.expect(201)["data"].clone();
    let heard = receiver.hears(7).await[6].clone();
    assert_eq!((heard.id(), heard.name().as_str()), (made["id"].text().as_str(), "started"));
    assert!(!heard.headers.iter().any(|(name, _)| name == "webhook-signature"), "nobody asked for it");
    let unheard_of = app.post(&test, json!({"event": "meeting.forgotten"})).await.refused(400);
    assert!(unheard_of.contains("meeting.started"), "{unheard_of}");

    let secret = app.post(&format!("/webhooks/{id}/secret"), json!({})).await.expect(201)["data"].clone();
    assert!(secret["secret"].text().starts_with("whsec_") && secret["former_until"].is_null(), "{secret}");
    assert!(app.get(&format!("/webhooks/{id}")).await.expect(200)["data"].get("secret").is_none());
    app.post(&test, json!({"event": "meeting.participantLeft"})).await.expect(201);
    let heard = receiver.hears(8).await[7].clone();
    let expected = |secret: &Value| {
        let key = STANDARD.decode(secret["secret"].text().trim_start_matches("whsec_")).expect("base64");
        let key = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, &key);
        move |heard: &Heard| {
            let mut content = format!("{}.{}.", heard.header("webhook-id"), heard.header("webhook-timestamp")).into_bytes();
            content.extend(&heard.body);
            format!("v1,{}", STANDARD.encode(aws_lc_rs::hmac::sign(&key, &content)))
        }
    };
    assert_eq!(heard.header("webhook-id"), heard.id());
    assert_eq!(heard.header("webhook-signature"), expected(&secret)(&heard));
    let next = app.post(&format!("/webhooks/{id}/secret"), json!({})).await.expect(201)["data"].clone();
    assert!(next["former_until"].is_string());
    app.post(&test, json!({})).await.expect(201);
    let heard = receiver.hears(9).await[8].clone();
    let both = format!("{} {}", expected(&next)(&heard), expected(&secret)(&heard));
    assert_eq!(heard.header("webhook-signature"), both, "receivers may change over by and by");
    app.call("DELETE", &format!("/webhooks/{id}/secret")).send().await.expect(200);
    patch(&app, &id, json!({"enabled": false})).await.expect(200);
    assert!(app.post(&test, json!({})).await.refused(422).contains("switched off"));
}

#[tokio::test]
async fn a_receiver_can_be_tried_with_every_event() {
    let app = TestApp::dev().await;
    let receiver = Receiver::start(Mood::Says(200)).await;
    let id = hook(&app, &receiver.url, &ALL).await;
    let every = WebhookEvent::ALL.map(WebhookEvent::name);
    for event in every {
        let made = app.post(&format!("/webhooks/{id}/test"), json!({"event": event})).await.expect(201);
        assert_eq!(made["data"]["event"], event);
    }
    let heard = receiver.hears(every.len()).await;
    let heard: std::collections::BTreeSet<_> = heard.iter().map(|heard| heard.json()["event"].text()).collect();
    assert_eq!(heard, every.map(str::to_owned).into());
}

#[tokio::test]
async fn whoever_rather_asks_reads_the_same_as_a_feed() {
    let app = TestApp::dev().await;
    let read = async |query: &str| app.get(&format!("/events{query}")).await.expect(200)["data"].clone();
    assert_eq!(read("").await, json!({"events": [], "after": "0"}), "it begins now");
    let receiver = Receiver::start(Mood::Says(200)).await;
    hook(&app, &receiver.url, &ALL).await;
    for name in ["ada", "bob"] {
        let meeting = app.meeting(name).await;
        let (_, peer) = app.enter(&meeting, name).await;
        app.leave(&meeting, &peer).await;
        end(&app, &meeting).await;
    }
    receiver.hears(8).await;
    let (mut after, mut seen) = ("0".to_owned(), Vec::new());
    loop {
        let part = read(&format!("?after={after}&limit=3")).await;
        let events = part["events"].as_array().expect("a list");
        if events.is_empty() {
            assert_eq!(part["after"], after);
            break;
        }
        seen.extend(events.clone());
        after = part["after"].text();
    }
    let mut told: Vec<String> = receiver.heard().iter().map(|heard| heard.json().to_string()).collect();
    let mut read_there: Vec<String> = seen.iter().map(|event| event["payload"].to_string()).collect();
    told.sort();
    read_there.sort();
    assert_eq!(read_there, told, "the same words");
    let ids: std::collections::BTreeSet<_> = seen.iter().map(|event| event["id"].text()).collect();
    assert_eq!(ids.len(), 8);
    for bad in ["?after=x", "?after=-1", "?limit=x"] {
        app.get(&format!("/events{bad}")).await.refused(400);
    }
}
