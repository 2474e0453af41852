//! Who is in: the list, the stream of what changes, and whether both say what everything else says.

use salon_core::event::{Actor, EndReason, LeaveReason, PeerJoined, SessionStarted, StageWish, Track, TrackKind};
use salon_core::preset::Recorder;
use salon_core::{AppId, Event, EventBody, MeetingId, ParticipantId, PeerId, PresetId, Record, SessionId, Timestamp, TrackId};
use salon_store::{AtEntrance, Happening};
use serde_json::{Value, json};

use crate::support::{KIT, TestApp, Text};
use crate::watcher::{Folded, Stream};

async fn watch(app: &TestApp, meeting: &str, query: &str) -> Result<Stream, u16> {
    watch_from(app, meeting, query, None).await
}

async fn watch_from(app: &TestApp, meeting: &str, query: &str, last: Option<&str>) -> Result<Stream, u16> {
    let path = format!("{KIT}/meetings/{meeting}/active-session/people/stream{query}");
    let mut headers = vec![("authorization", "Bearer dev-token")];
    headers.extend(last.map(|last| ("last-event-id", last)));
    Stream::open(app.running.addr, &path, &headers).await
}

async fn people(app: &TestApp, meeting: &str) -> Value {
    app.get(&format!("/meetings/{meeting}/active-session/people")).await.expect(200)["data"].clone()
}

fn names(people: &Value) -> Vec<String> {
    people["people"].as_array().expect("a list").iter().map(|person| person["custom_participant_id"].text()).collect()
}

#[tokio::test]
async fn it_tells_who_is_in_and_what_they_add_up_to() {
    let app = TestApp::dev().await;
    let meeting = app.meeting("Planning").await;
    let path = format!("/meetings/{meeting}/active-session/people");
    let none = app.get(&path).await.refused(404);
    assert_eq!(none, format!("No active session found for meeting_id {meeting}"));
    let (_, ada) = app.enter(&meeting, "ada").await;
    app.enter(&meeting, "bob").await;
    let (_, eve) = app.enter(&meeting, "eve").await;
    app.leave(&meeting, &ada).await;
    let found = people(&app, &meeting).await;
    let live = app.get(&format!("/meetings/{meeting}/active-session")).await.expect(200)["data"].clone();
    assert_eq!(names(&found), ["bob", "eve"]);
    assert_eq!((&found["session_id"], &found["meeting_id"]), (&live["id"], &live["associated_id"]));
    assert_eq!((&found["live_participants"], &found["max_concurrent_participants"]), (&json!(2), &json!(3)));
    assert_eq!((&found["total_participants"], &found["waiting"]), (&json!(3), &json!([])));
    let minutes = |value: &Value| value["minutes_consumed"].as_f64().expect("minutes");
    assert!(minutes(&found) <= minutes(&live), "it was asked before");
    let bob = &found["people"][0];
    assert_eq!(
        (&bob["state"], &bob["counts"], &bob["stage"], &bob["order"]),
        (&json!("connected"), &json!(true), &json!("on"), &json!(1))
    );
    assert!(bob.get("microphone").is_none() && bob.get("left_at").is_none(), "what is not known is left out");

    let first = app.get(&format!("{path}?limit=1")).await.expect(200)["data"].clone();
    assert_eq!((names(&first), &first["next_after"]), (vec!["bob".to_owned()], &json!(1)));
    let rest = app.get(&format!("{path}?limit=1&after=1")).await.expect(200)["data"].clone();
    assert_eq!((names(&rest), rest.get("next_after")), (vec!["eve".to_owned()], None));
    let one = app.get(&format!("{path}?peer_id={eve}&fields=tracks")).await.expect(200)["data"].clone();
    assert_eq!((names(&one), &one["people"][0]["tracks"]), (vec!["eve".to_owned()], &json!({"publishing": [], "receiving": []})));
    assert!(names(&app.get(&format!("{path}?peer_id={ada}")).await.expect(200)["data"]).is_empty(), "she has left");
    assert_eq!(app.get(&format!("{path}?fields=all")).await.refused(400), "BAD_REQUEST: \"fields\" must be tracks");
    app.get(&format!("{path}?after=x")).await.refused(400);
    app.get(&format!("{path}?limit=x")).await.refused(400);

    let theirs = app.other_account("theirs", "their-key", None).await;
    let path = format!("/client/v4/accounts/theirs/realtime/kit/{theirs}{path}");
    for path in [path.clone(), format!("{path}/stream"), format!("{path}/stream?wait=1")] {
        let said = app.bare("GET", &path).header("authorization", "Bearer their-key").send().await;
        assert_eq!(said.refused(404), none, "the meeting of another app does not exist");
    }
}

#[tokio::test]
async fn a_stream_tells_what_changes_and_goes_on_where_it_was_left() {
    let app = TestApp::dev().await;
    let meeting = app.meeting("Planning").await;
    assert_eq!(watch(&app, &meeting, "").await.err(), Some(404), "nobody is in, and it was not asked to wait");
    let mut waits = watch(&app, &meeting, "?wait=1").await.expect("a stream");
    for (name, value) in [("content-type", "text/event-stream"), ("cache-control", "no-store"), ("x-accel-buffering", "no")] {
        assert_eq!(waits.header(name), Some(value));
    }
    assert_eq!(waits.next().await.expect("it says so").name, "none");
    let (_, ada) = app.enter(&meeting, "ada").await;
    let (mut early, mut late) = (Folded::default(), Folded::default());
    early.take(&waits.hear("snapshot").await);
    let mut watching = watch(&app, &meeting, "").await.expect("a stream");
    late.take(&watching.next().await.expect("a snapshot"));
    assert_eq!(Folded::of_record(&early.now), Folded::of_record(&late.now));
    let (_, bob) = app.enter(&meeting, "bob").await;
    app.leave(&meeting, &ada).await;
    for (stream, folded) in [(&mut waits, &mut early), (&mut watching, &mut late)] {
        let (joined, left) = (stream.hear("change").await, stream.hear("change").await);
        assert_eq!((&joined.data["kind"], &joined.data["person"]["peer_id"]), (&json!("peer_joined"), &json!(bob.as_str())));
        assert_eq!((&left.data["kind"], &left.data["person"]["reason"]), (&json!("peer_left"), &json!("left")));
        folded.take(&joined);
        folded.take(&left);
        assert_eq!(Folded::of_record(&folded.now), Folded::of_record(&people(&app, &meeting).await));
    }
    // It breaks, and things go on.
    drop(watching);
    app.enter(&meeting, "eve").await;
    app.call("POST", &format!("/meetings/{meeting}/active-session/kick-all")).send().await.expect(200);
    let last = late.last_id.clone().expect("an id");
    let mut by_header = watch_from(&app, &meeting, "?after=nonsense:1", Some(&last)).await.expect("a stream");
    let mut by_address = watch(&app, &meeting, &format!("?wait=1&after={last}")).await.expect("a stream");
    let mut ends = Vec::new();
    for (stream, mut folded) in [(&mut by_header, late.clone()), (&mut by_address, late)] {
        let mut kinds = Vec::new();
        while !folded.now.is_null() {
            let event = stream.next().await.expect("it goes on to the end");
            folded.take(&event);
            kinds.push(event.data["kind"].as_str().unwrap_or(&event.name).to_owned());
        }
        assert_eq!(kinds, ["peer_joined", "peer_left", "peer_left", "ended"]);
        assert_eq!(folded.resets, 1, "it was told of each");
        ends.push(folded);
    }
    assert!(by_header.next().await.is_none(), "there is nothing more to watch");
    assert_eq!(by_address.next().await.expect("this one waits").name, "none");
    let end = ends[0].last_id.clone().expect("an id");
    assert_eq!(watch(&app, &meeting, &format!("?after={end}")).await.err(), Some(404), "everything was told");
    // The next session is another one, and whoever waited for it is told of it, as is who comes back from the old one.
    app.enter(&meeting, "zoe").await;
    for (stream, folded) in [(&mut waits, &mut early), (&mut by_address, &mut ends[1])] {
        while folded.now.is_null() || folded.now["session_id"] == end.split(':').next().expect("a session") {
            folded.take(&stream.next().await.expect("it stays"));
        }
        assert_eq!(names(&folded.now), ["zoe"]);
    }
    let mut back = watch(&app, &meeting, &format!("?after={last}")).await.expect("a stream");
    let told: Vec<_> = [back.next().await, back.next().await, back.next().await, back.next().await, back.next().await]
        .map(|event| event.expect("an event").name)
        .into();
    assert_eq!(told, ["change", "change", "change", "ended", "snapshot"]);
    // Ids of no event are no reason to be silent.
    let session = ends[1].now["session_id"].text();
    for odd in ["none:1".to_owned(), format!("{session}:999999")] {
        let mut stream = watch(&app, &meeting, &format!("?after={odd}")).await.expect("a stream");
        assert_eq!(stream.next().await.expect("an event").name, "snapshot", "{odd}");
    }
    let path = format!("/meetings/{meeting}/active-session/people/stream?after=x");
    assert_eq!(app.get(&path).await.refused(400), "BAD_REQUEST: \"after\" must be the id of an event");
}

#[tokio::test]
async fn whoever_comes_back_after_more_than_is_kept_hears_each_event_once() {
    let app = TestApp::dev().await;
    let meeting = app.meeting("Planning").await;
    app.enter(&meeting, "ada").await;
    let mut folded = Folded::default();
    let mut stream = watch(&app, &meeting, "").await.expect("a stream");
    folded.take(&stream.next().await.expect("a snapshot"));
    drop(stream);
    let mut guests = Vec::new();
    for guest in 0..20 {
        guests.push(app.participant(&meeting, "group_call_participant", &format!("guest {guest}")).await["id"].text());
    }
    let come_and_go = async |times: usize| {
        for at in 0..times {
            let peer = app.join(&guests[at % guests.len()]).await;
            app.leave(&meeting, &peer).await;
        }
    };
    // A feed keeps 256 events; the others are in the store only.
    come_and_go(200).await;
    let now = people(&app, &meeting).await;
    let mut stream = watch_from(&app, &meeting, "", folded.last_id.clone().as_deref()).await.expect("a stream");
    while folded.now["seq"] != now["seq"] {
        folded.take(&stream.next().await.expect("it goes on"));
    }
    assert_eq!((folded.told.len(), folded.resets), (401, 1));
    assert_eq!(Folded::of_record(&folded.now), Folded::of_record(&now));
    // Too far behind to be told of each.
    come_and_go(900).await;
    let mut stream = watch_from(&app, &meeting, "", folded.told[0].id.as_deref()).await.expect("a stream");
    assert_eq!(stream.next().await.expect("an event").name, "snapshot");
}

#[tokio::test]
async fn those_who_wait_are_told_of() {
    let app = TestApp::dev().await;
    let meeting = app.meeting("Planning").await;
    app.enter(&meeting, "ada").await;
    let mut stream = watch(&app, &meeting, "").await.expect("a stream");
    assert_eq!(stream.hear("snapshot").await.data["waiting"], json!([]));
    let zoe = app.participant(&meeting, "group_call_guest", "zoe").await["id"].text();
    app.join(&zoe).await;
    let door = stream.hear("door").await;
    assert_eq!((door.id, &door.data["waiting"][0]["custom_participant_id"]), (None, &json!("zoe")));
    assert_eq!(people(&app, &meeting).await["waiting"], door.data["waiting"]);
    assert_eq!(names(&people(&app, &meeting).await), ["ada"]);
}

#[tokio::test]
async fn who_stands_at_the_entrance_is_told_of_also_while_nobody_is_in() {
    let app = TestApp::dev().await;
    let meeting = app.meeting("Planning").await;
    let path = format!("/meetings/{meeting}/entrance");
    assert_eq!(app.get(&path).await.expect(200)["data"], json!({"waiting": [], "entries": []}));
    let zoe = app.participant(&meeting, "group_call_guest", "zoe").await["id"].text();
    let peer = app.join(&zoe).await;
    app.get(&format!("/meetings/{meeting}/active-session")).await.refused(404);
    let store = &app.running.doors.store;
    let now = app.running.doors.clock.now();
    let (participant, meeting_id) = (ParticipantId::parse(&zoe).expect("an id"), MeetingId::parse(&meeting).expect("an id"));
    let waits = AtEntrance {
        app: AppId::parse("dev").expect("an id"),
        meeting: meeting_id,
        participant,
        peer: peer.clone(),
        what: Happening::TokenExpired,
        first_at: now,
        last_at: now,
        times: 3,
    };
    store.keep_entrance(&[waits]).await.expect("it is kept");
    let told = app.get(&path).await.expect(200)["data"].clone();
    assert_eq!(
        (&told["waiting"][0]["custom_participant_id"], &told["waiting"][0]["peer_id"]),
        (&json!("zoe"), &json!(peer.to_string()))
    );
    let entry = &told["entries"][0];
    assert_eq!((&entry["what"], &entry["times"]), (&json!("token_expired"), &json!(3)));
    assert_eq!((&entry["participant_id"], &entry["custom_participant_id"]), (&json!(zoe), &json!("zoe")));
    assert!(entry["text"].text().contains("/token"), "it says what to do: {entry}");
    app.get(&format!("{path}?limit=x")).await.refused(400);
    let theirs = app.other_account("theirs", "their-key", None).await;
    let path = format!("/client/v4/accounts/theirs/realtime/kit/{theirs}/meetings/{meeting}/entrance");
    app.bare("GET", &path).header("authorization", "Bearer their-key").send().await.refused(404);
}

#[tokio::test]
async fn there_are_as_many_streams_as_may_be_and_who_goes_makes_place() {
    let app = TestApp::with(|config| config.limits.watchers_per_key = 2).await;
    let meeting = app.meeting("Planning").await;
    app.enter(&meeting, "ada").await;
    let mut first = watch(&app, &meeting, "").await.expect("a stream");
    let _second = watch(&app, &meeting, "?wait=1").await.expect("a stream");
    assert_eq!(watch(&app, &meeting, "").await.err(), Some(429));
    let path = format!("/meetings/{meeting}/active-session/people/stream");
    let why = app.get(&path).await.refused(429);
    assert_eq!(why, "There are 2 streams with one key, which is the most; close one first");
    app.get(&format!("/meetings/{meeting}/active-session/people")).await.expect(200);
    first.hear("snapshot").await;
    drop(first);
    let mut again = loop {
        match watch(&app, &meeting, "").await {
            Ok(stream) => break stream,
            Err(status) => assert_eq!(status, 429),
        }
    };
    again.hear("snapshot").await;
}

#[tokio::test]
async fn the_last_thing_that_is_said_is_why() {
    let app = TestApp::dev().await;
    let theirs = app.other_account("theirs", "their-key", None).await;
    let meeting = app.meeting("Planning").await;
    app.enter(&meeting, "ada").await;
    let mut stops = watch(&app, &meeting, "").await.expect("a stream");
    stops.hear("snapshot").await;
    // A key that is revoked.
    let kit = format!("/client/v4/accounts/theirs/realtime/kit/{theirs}");
    let made = app.bare("POST", &format!("{kit}/meetings")).header("authorization", "Bearer their-key").json(&json!({}));
    let other = made.send().await.expect(201)["data"]["id"].text();
    let path = format!("{kit}/meetings/{other}/active-session/people/stream?wait=1");
    let mut revoked = Stream::open(app.running.addr, &path, &[("authorization", "Bearer their-key")]).await.expect("a stream");
    revoked.hear("none").await;
    app.running.doors.store.revoke_api_key(&salon_doors::keys::digest("their-key")).await.expect("it is gone");
    assert_eq!(revoked.hear("bye").await.data, json!({"reason": "key_revoked", "resume": false}));
    assert!(revoked.next().await.is_none());
    app.stop().await;
    assert_eq!(stops.hear("bye").await.data, json!({"reason": "shutdown", "resume": true}));
    assert!(stops.next().await.is_none());
}

#[tokio::test]
async fn nothing_new_is_a_matter_of_a_header() {
    let app = TestApp::dev().await;
    let meeting = app.meeting("Planning").await;
    let (_, ada) = app.enter(&meeting, "ada").await;
    let path = format!("/meetings/{meeting}/active-session");
    let first = app.get(&path).await;
    let tag = first.header("etag").expect("a tag").to_owned();
    assert_eq!(tag, format!("W/\"{}-2\"", first.json()["data"]["id"].text()));
    let ask = async |tags: &str| app.call("GET", &path).header("if-none-match", tags).send().await;
    for tags in [tag.clone(), format!("\"x\", {tag}"), tag.trim_start_matches("W/").to_owned(), "*".to_owned()] {
        let said = ask(&tags).await;
        assert_eq!((said.status, said.body.len(), said.header("etag")), (304, 0, Some(tag.as_str())), "{tags}");
    }
    assert_eq!(ask("W/\"x\"").await.status, 200);
    app.leave(&meeting, &ada).await;
    let said = ask(&tag).await;
    assert_eq!(said.expect(200)["data"]["live_participants"], 0);
    assert_ne!(said.header("etag"), Some(tag.as_str()));
}

/// The same number is the same everywhere, while people come and go.
#[tokio::test]
async fn everything_that_is_told_of_a_session_agrees() {
    let app = TestApp::dev().await;
    let meeting = app.meeting("Planning").await;
    app.get("/events").await.expect(200);
    let mut stream = watch(&app, &meeting, "?wait=1").await.expect("a stream");
    let (mut folded, mut random) = (Folded::default(), Random(7));
    // What it should be, counted by the script itself.
    let (mut most, mut came) = (0, 0);
    let mut ids = Vec::new();
    for name in ["ada", "bob", "eve", "zoe"] {
        ids.push(app.participant(&meeting, "group_call_participant", name).await["id"].text());
    }
    let mut inside: Vec<PeerId> = Vec::new();
    for step in 0..60 {
        if inside.is_empty() || random.below(3) > 0 && inside.len() < 12 {
            inside.push(app.join(&ids[random.below(4)]).await);
            came += 1;
        } else {
            let peer = inside.remove(random.below(inside.len()));
            app.leave(&meeting, &peer).await;
        }
        let live = app.get(&format!("/meetings/{meeting}/active-session")).await;
        most = most.max(inside.len());
        let board = app.get("/active-sessions").await.expect(200)["data"]["sessions"][0].clone();
        let listed = app.get("/sessions?status=LIVE").await.expect(200)["data"]["sessions"][0].clone();
        let found = people(&app, &meeting).await;
        let there = app.get(&format!("/sessions/{}/participants?per_page=1000", found["session_id"].text())).await.expect(200);
        while folded.now["seq"] != found["seq"] {
            folded.take(&stream.next().await.expect("it goes on"));
        }
        let session = live.json()["data"].clone();
        assert_eq!(live.header("etag"), Some(format!("W/\"{}-{}\"", session["id"].text(), found["seq"]).as_str()));
        assert_eq!(Folded::of_record(&folded.now), Folded::of_record(&found), "step {step}");
        for other in [&session, &listed, &board] {
            for count in ["live_participants", "max_concurrent_participants"] {
                assert_eq!(other[count], found[count], "step {step}");
            }
        }
        for same in ["session_id", "seq", "total_participants", "settled_ms", "live_since_sum_ms"] {
            assert_eq!(board[same], found[same], "step {step}");
        }
        let timeline = app.get(&format!("/sessions/{}/timeline?limit=1", found["session_id"].text())).await.expect(200);
        assert_eq!(timeline["data"]["last_seq"], found["seq"], "step {step}");
        let here = |peer: &&Value| peer.get("left_at").is_none_or(Value::is_null);
        let mut there: Vec<_> =
            there["data"]["participants"].as_array().expect("a list").iter().filter(here).map(|peer| peer["id"].text()).collect();
        there.reverse();
        let ours: Vec<_> = found["people"].as_array().expect("a list").iter().map(|person| person["peer_id"].text()).collect();
        assert_eq!(there, ours, "step {step}");
        assert_eq!(found["live_participants"], inside.len());
        assert_eq!((&found["max_concurrent_participants"], &found["total_participants"]), (&json!(most), &json!(came)));
    }
    app.call("POST", &format!("/meetings/{meeting}/active-session/kick-all")).send().await.expect(200);
    while !folded.now.is_null() {
        folded.take(&stream.next().await.expect("it goes on"));
    }
    // What is kept of it adds up, by the session, its people, the stays of each of them, and the day.
    let id = folded.told[0].data["session_id"].text();
    let session = app.get(&format!("/sessions/{id}")).await.expect(200)["data"].clone();
    let listed = app.get("/sessions").await.expect(200)["data"]["sessions"][0].clone();
    let minutes = session["minutes_consumed"].as_f64().expect("a number");
    let close = |told: f64| assert!((told - minutes).abs() < 1e-6, "{told} is not {minutes}");
    close(listed["minutes_consumed"].as_f64().expect("a number"));
    assert_eq!((&session["max_concurrent_participants"], &session["status"]), (&json!(most), &json!("ENDED")));
    let told = folded.told.last().expect("its end").data.clone();
    close(told["settled_ms"].as_f64().expect("a number") / 60_000.0);
    assert_eq!((&told["max_concurrent_participants"], &told["total_participants"]), (&json!(most), &json!(came)));
    let there = app.get(&format!("/sessions/{id}/participants?per_page=1000")).await.expect(200);
    let there = there["data"]["participants"].as_array().expect("a list").clone();
    assert_eq!(there.len(), came);
    close(there.iter().map(|peer| peer["duration"].as_f64().expect("a number")).sum());
    let mut stays = Vec::new();
    for name in ["ada", "bob", "eve", "zoe"] {
        let of_one = app.get(&format!("/peers?custom_participant_id={name}&per_page=1000")).await.expect(200);
        stays.extend(of_one["data"]["peers"].as_array().expect("a list").iter().map(|stay| stay["id"].text()));
    }
    let mut peers: Vec<_> = there.iter().map(|peer| peer["id"].text()).collect();
    stays.sort();
    peers.sort();
    assert_eq!(stays, peers);
    let days = app.get("/analytics/daywise").await.expect(200)["data"]["session_stats"].clone();
    assert_eq!(days["sessions_count"], 1);
    close(days["sessions_minutes_consumed"].as_f64().expect("a number"));
    let timeline = app.get(&format!("/sessions/{id}/timeline?limit=5000")).await.expect(200)["data"].clone();
    let joined = timeline["events"].as_array().expect("a list").iter().filter(|event| event["kind"] == "peer_joined").count();
    assert_eq!((joined, &timeline["last_seq"], &timeline["complete"]), (came, &told["seq"], &json!(true)));
    // What webhooks are told, in their order.
    let events = app.get("/events?limit=1000").await.expect(200)["data"]["events"].clone();
    let told: Vec<_> = events
        .as_array()
        .expect("a list")
        .iter()
        .map(|event| {
            let payload = &event["payload"];
            let peer = payload["participant"]["peerId"].as_str().unwrap_or_default().to_owned();
            (payload["event"].text(), peer)
        })
        .collect();
    let mut heard = vec![("meeting.started".to_owned(), String::new())];
    let first = &folded.told[0].data["people"][0]["peer_id"];
    heard.push(("meeting.participantJoined".to_owned(), first.text()));
    for event in &folded.told[1..] {
        let peer = event.data["person"]["peer_id"].as_str().unwrap_or_default().to_owned();
        match event.data["kind"].as_str() {
            Some("peer_joined") => heard.push(("meeting.participantJoined".to_owned(), peer)),
            Some("peer_left") => heard.push(("meeting.participantLeft".to_owned(), peer)),
            _ if event.name == "ended" => heard.push(("meeting.ended".to_owned(), peer)),
            _ => {}
        }
    }
    assert_eq!(told, heard);
}

/// Small, and the same on every run.
struct Random(u64);

impl Random {
    fn below(&mut self, most: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 33) % most as u64) as usize
    }

    /// Anything that may be in a record, about one of five peers, of whom some never come.
    fn event(&mut self, seq: u64) -> Event {
        let peer = PeerId::parse(&format!("peer-{}", self.below(5))).unwrap();
        let track = TrackId::parse(&format!("track-{}", self.below(3))).unwrap();
        let by = || Actor::Peer(PeerId::parse("peer-0").unwrap());
        let flag = self.below(2) == 0;
        let at = Timestamp(1_000_000 + seq as i64 * 700);
        let wishes = [None, Some(StageWish::Asks), Some(StageWish::CalledUp)];
        let reasons = [LeaveReason::Left, LeaveReason::Lost, LeaveReason::Kicked, LeaveReason::Deleted];
        let body = match self.below(16) {
            0..=2 => EventBody::PeerJoined(PeerJoined {
                participant: ParticipantId::parse(&format!("participant-{}", self.below(3))).unwrap(),
                custom_participant_id: "own".to_owned(),
                name: format!("name {seq}"),
                picture: flag.then(|| "https://example.org/p.png".to_owned()),
                preset: PresetId::parse("preset").unwrap(),
                preset_name: "guest".to_owned(),
                hidden: self.below(4) == 0,
                recorder: if self.below(6) == 0 { Recorder::Recorder } else { Recorder::None },
                on_stage: flag,
                origin: None,
                peer,
            }),
            3 => EventBody::PeerDisconnected { peer, seen: at.plus_ms(-300) },
            4 => EventBody::PeerReconnected { peer },
            5 => EventBody::PeerLeft { peer, left_at: at.plus_ms(-100), reason: reasons[self.below(4)] },
            6 => EventBody::PeerRenamed { peer, name: format!("new {seq}"), by_other: flag },
            7 | 8 => EventBody::TrackPublished {
                peer,
                track: Track {
                    id: track,
                    kind: if flag { TrackKind::Audio } else { TrackKind::Video },
                    screen_share: self.below(3) == 0,
                    paused: self.below(2) == 0,
                    mime_type: String::new(),
                    app_data: String::new(),
                    transport: String::new(),
                },
            },
            9 => EventBody::TrackPaused { peer, track, paused: flag, by: if flag { Actor::Api } else { by() } },
            10 => EventBody::TrackUnpublished { peer, track },
            11 => EventBody::StageChanged { peer, on_stage: flag },
            12 => EventBody::StageWished { peer, wish: wishes[self.below(3)] },
            13 => EventBody::UnmuteForbidden { forbidden: flag },
            14 => EventBody::HeldOpen { held: flag },
            _ => EventBody::PeerPinned { peer: flag.then_some(peer) },
        };
        Event { seq, at, body }
    }
}

/// Whatever is in a record: the people as of any event, with the changes after it, are the people as of any later one, and
/// whoever folds only what is of people has the same.
#[test]
fn people_with_what_changed_are_the_people_after_it() {
    let started = SessionStarted {
        session: SessionId::parse("session").unwrap(),
        meeting: MeetingId::parse("meeting").unwrap(),
        app: AppId::parse("app").unwrap(),
        title: String::new(),
        keep_alive_ms: 60_000,
        started_at: Timestamp(1_000_000),
        parent: None,
    };
    let snapshot = |record: &Record| {
        let people = salon_doors::people::people(record, record.updated_at, 0.0);
        serde_json::to_value(salon_wire::rest::people::People { reset: Some(true), ..people }).unwrap()
    };
    let event = |name: &str, seq: u64, data: Value| crate::watcher::Event {
        name: name.to_owned(),
        id: Some(format!("session:{seq}")),
        data,
    };
    let mut told = 0;
    for seed in 0..40 {
        let mut random = Random(seed);
        let first = Event { seq: 1, at: Timestamp(1_000_000), body: EventBody::SessionStarted(started.clone()) };
        let (mut record, mut lean) = (Record::begin(&first).unwrap(), Record::begin(&first).unwrap());
        let mut folds = vec![Folded::default()];
        folds[0].take(&event("snapshot", 1, snapshot(&record)));
        for seq in 2..80 {
            let happened = random.event(seq);
            let prev = record.people_seq;
            record.apply(&happened);
            if happened.body.is_of_people() {
                lean.apply(&happened);
            }
            if let Some(change) = salon_doors::people::change(prev, &record, &happened) {
                told += 1;
                let change = event("change", seq, serde_json::to_value(change).unwrap());
                folds.iter_mut().for_each(|fold| fold.take(&change));
            } else {
                assert_eq!(record.people_seq, prev, "what is not told has no number");
            }
            let now = snapshot(&record);
            for fold in &folds {
                assert_eq!(
                    Folded::of_record(&fold.now),
                    Folded::of_record(&now),
                    "seed {seed}, event {seq}: {:?}",
                    happened.body
                );
            }
            assert_eq!(Folded::of_record(&snapshot(&lean)), Folded::of_record(&now), "seed {seed}, event {seq}");
            if random.below(8) == 0 {
                let mut fold = Folded::default();
                fold.take(&event("snapshot", record.people_seq, now));
                folds.push(fold);
            }
        }
        let prev = record.people_seq;
        record.apply(&Event {
            seq: 80,
            at: Timestamp(2_000_000),
            body: EventBody::SessionEnded { ended_at: Timestamp(2_000_000), reason: EndReason::Closed },
        });
        let end = event("ended", 80, serde_json::to_value(salon_doors::people::ended(prev, &record).unwrap()).unwrap());
        folds.iter_mut().for_each(|fold| fold.take(&end));
    }
    assert!(told > 1_000, "{told} changes");
}
