//! Every endpoint that succeeds answers in the shape of the contract.

use serde_json::json;

use crate::support::contract::agrees;
use crate::support::{TestApp, Text, preset_body};

#[tokio::test]
async fn meetings_and_participants() {
    let app = TestApp::dev().await;
    let everything = json!({
        "title": "Planning", "record_on_start": true, "live_stream_on_start": null, "persist_chat": true,
        "transcribe_on_end": true, "summarize_on_end": true, "session_keep_alive_time_in_secs": 120.0,
        "recording_config": {
            "max_seconds": 600, "file_name_prefix": "a", "audio_config": {"codec": "AAC", "channel": "stereo"},
            "video_config": {"codec": "H264", "width": 640, "height": 480,
                "watermark": {"url": "https://example.org/w.png", "position": "left top", "size": {"width": 1, "height": 1}}},
            "storage_config": {"type": "aws", "access_key": "k", "secret": "s", "bucket": "b", "region": "r", "path": "p"},
            "live_streaming_config": {"rtmp_url": "rtmp://example.org/x"}, "realtimekit_bucket_config": {"enabled": true},
        },
        "ai_config": {"transcription": {"language": "en-US", "keywords": ["salon"], "profanity_filter": true},
            "summarization": {"word_limit": 200, "text_format": "markdown", "summary_type": "general"}},
        "unknown": true,
    });
    let made = agrees("POST", "/meetings", &app.post("/meetings", everything).await);
    assert_eq!(made["data"]["session_keep_alive_time_in_secs"], 120);
    assert_eq!(made["data"]["live_stream_on_start"], false);
    let stored = made["data"]["recording_config"]["storage_config"].clone();
    assert_eq!(stored, json!({"type": "aws", "bucket": "b", "region": "r", "path": "p"}), "credentials are never told");
    let id = made["data"]["id"].text();
    let one = format!("/meetings/{id}");
    assert_eq!(agrees("GET", "/meetings/{meeting_id}", &app.get(&one).await)["data"], made["data"]);
    let listed = agrees("GET", "/meetings", &app.get("/meetings").await);
    assert!(listed["data"][0].get("ai_config").is_none(), "lists leave it out");
    let patched = app.call("PATCH", &one).json(&json!({"status": "INACTIVE"})).send().await;
    assert_eq!(agrees("PATCH", "/meetings/{meeting_id}", &patched)["data"]["status"], "INACTIVE");
    let replaced = app.call("PUT", &one).json(&json!({})).send().await;
    let replaced = agrees("PUT", "/meetings/{meeting_id}", &replaced);
    assert_eq!(replaced["data"]["status"], "INACTIVE", "no SDK can say it here, so it stays");
    assert!(replaced["data"].get("recording_config").is_none() && replaced["data"].get("title").is_none());

    let people = format!("{one}/participants");
    let body = json!({"name": "Ada", "picture": "https://example.org/a.png", "preset_name": "group_call_host", "custom_participant_id": "ada"});
    let added = agrees("POST", "/meetings/{meeting_id}/participants", &app.post(&people, body).await);
    let person = format!("{people}/{}", added["data"]["id"].text());
    let path = "/meetings/{meeting_id}/participants/{participant_id}";
    let shown = agrees("GET", path, &app.get(&person).await);
    assert!(shown["data"].get("token").is_none() && shown["data"]["preset_name"] == "group_call_host");
    agrees("GET", "/meetings/{meeting_id}/participants", &app.get(&people).await);
    let patch = json!({"name": null, "preset_name": "group_call_guest"});
    let patched = agrees("PATCH", path, &app.call("PATCH", &person).json(&patch).send().await);
    assert_eq!((&patched["data"]["name"], &patched["data"]["preset_name"]), (&json!(null), &json!("group_call_guest")));
    assert_eq!(patched["data"]["picture"], "https://example.org/a.png");
    // Python sends a content type with nothing after it, TypeScript sends neither.
    let token = format!("{person}/token");
    let python = app.call("POST", &token).header("content-type", "application/json").bytes(b"").send().await;
    agrees("POST", "/meetings/{meeting_id}/participants/{participant_id}/token", &python);
    agrees("POST", "/meetings/{meeting_id}/participants/{participant_id}/token", &app.call("POST", &token).send().await);
    let deleted = agrees("DELETE", path, &app.call("DELETE", &person).send().await);
    assert_eq!(deleted["data"].as_object().map(|fields| fields.len()), Some(4));
    app.get(&person).await.refused(404);
    app.call("DELETE", &person).send().await.refused(404);
}

#[tokio::test]
async fn presets() {
    let app = TestApp::dev().await;
    let listed = agrees("GET", "/presets", &app.get("/presets").await);
    let names: Vec<_> = listed["data"].as_array().expect("a list").iter().map(|preset| preset["name"].text()).collect();
    assert_eq!(
        names,
        [
            "group_call_host",
            "group_call_participant",
            "group_call_guest",
            "webinar_presenter",
            "webinar_viewer",
            "livestream_host",
            "livestream_viewer"
        ]
    );
    assert_eq!(listed["data"][0].as_object().map(|fields| fields.len()), Some(4));
    let made = agrees("POST", "/presets", &app.post("/presets", preset_body("mine")).await);
    let one = format!("/presets/{}", made["data"]["id"].text());
    assert_eq!(agrees("GET", "/presets/{preset_id}", &app.get(&one).await)["data"], made["data"]);
    let patch = json!({"permissions": {"media": {"audio": {"can_produce": "NOT_ALLOWED"}}}, "ui": {"design_tokens": {"logo": "https://example.org/l.png"}}});
    let patched = agrees("PATCH", "/presets/{preset_id}", &app.call("PATCH", &one).json(&patch).send().await);
    let mut expected = made["data"].clone();
    expected["permissions"]["media"]["audio"]["can_produce"] = "NOT_ALLOWED".into();
    expected["ui"]["design_tokens"]["logo"] = "https://example.org/l.png".into();
    expected["updated_at"] = patched["data"]["updated_at"].clone();
    assert_eq!(patched["data"], expected, "what is not sent stays");
    let replaced = app.call("PUT", &one).json(&preset_body("renamed")).send().await;
    assert_eq!(agrees("PUT", "/presets/{preset_id}", &replaced)["data"]["name"], "renamed");
    agrees("DELETE", "/presets/{preset_id}", &app.call("DELETE", &one).send().await);
    app.get(&one).await.refused(404);
}

#[tokio::test]
async fn apps() {
    let app = TestApp::dev().await;
    let path = "/client/v4/accounts/dev/realtime/kit/apps";
    let ask = |method: &str| app.bare(method, path).header("authorization", "Bearer dev-token");
    let made = agrees("POST", "/apps", &ask("POST").json(&json!({"name": "second"})).send().await);
    let listed = agrees("GET", "/apps", &ask("GET").send().await);
    assert_eq!(listed["data"][0], made["data"]["app"]);
    assert_eq!(listed["paging"]["total_count"], 2);
    let taken = ask("POST").json(&json!({"name": "second"})).send().await;
    taken.refused(409);
    assert_eq!(taken.header("x-should-retry"), Some("false"), "a permanent refusal is not tried again");
    // A new app begins with presets and can be used at once.
    let presets = format!("/accounts/dev/realtime/kit/{}/presets", made["data"]["app"]["id"].text());
    let presets = app.bare("GET", &presets).header("authorization", "Bearer dev-token").send().await;
    assert_eq!(presets.expect(200)["paging"]["total_count"], 7);
}

#[tokio::test]
async fn sessions_and_their_people() {
    let app = TestApp::dev().await;
    let meeting = app.meeting("Planning").await;
    let (ada, ada_peer) = app.enter(&meeting, "ada").await;
    let (_, bob_peer) = app.enter(&meeting, "bob").await;
    let active = format!("/meetings/{meeting}/active-session");
    let live = agrees("GET", "/meetings/{meeting_id}/active-session", &app.get(&active).await);
    let one = format!("/sessions/{}", live["data"]["id"].text());
    app.leave(&meeting, &bob_peer).await;

    agrees("GET", "/sessions", &app.get("/sessions").await);
    let shown = agrees("GET", "/sessions/{session_id}", &app.get(&format!("{one}?include_breakout_rooms=true")).await);
    assert_eq!((&shown["data"]["status"], &shown["data"]["live_participants"]), (&json!("LIVE"), &json!(1)));
    let people = format!("{one}/participants?include_peer_events=true&sort_by=duration&sort_order=ASC&view=consolidated");
    let people = agrees("GET", "/sessions/{session_id}/participants", &app.get(&people).await);
    assert_eq!(people["data"]["paging"], people["paging"]);
    let bob = people["data"]["participants"]
        .as_array()
        .expect("a list")
        .iter()
        .find(|peer| peer["id"] == bob_peer.as_str())
        .expect("bob")
        .clone();
    let names: Vec<_> = bob["peer_events"].as_array().expect("a list").iter().map(|event| event["event_name"].text()).collect();
    assert_eq!(names, ["PEER_CREATED", "PEER_JOINING", "PEER_LEAVING"]);
    assert!(bob.get("left_at").is_some());
    let path = "/sessions/{session_id}/participants/{participant_id}";
    for id in [ada.as_str(), ada_peer.as_str()] {
        let found = agrees("GET", path, &app.get(&format!("{one}/participants/{id}")).await);
        assert_eq!(found["data"]["participant"]["id"], ada_peer.as_str());
        assert_eq!(found["data"]["participant"]["user_id"], ada.as_str());
        assert!(found["data"]["participant"].get("peer_events").is_none());
    }
    let report = app.get(&format!("/sessions/peer-report/{ada_peer}?filters=device_info&filters=events")).await;
    assert_eq!(
        agrees("GET", "/sessions/peer-report/{peer_id}", &report)["data"]["participant"]["session_id"],
        live["data"]["id"]
    );
    app.get("/sessions/peer-report/nobody").await.refused(404);
    agrees("GET", "/sessions/{session_id}/chat", &app.get(&format!("{one}/chat")).await);
    for kept in ["transcript", "summary"] {
        app.get(&format!("{one}/{kept}")).await.refused(404);
    }
    app.post(&format!("{one}/summary"), json!({})).await.refused(404);

    let kicked = app.post(&format!("{active}/kick"), json!({"participant_ids": [ada]})).await;
    agrees("POST", "/meetings/{meeting_id}/active-session/kick", &kicked);
    let muted = app.post(&format!("{active}/mute-all"), json!({"allow_unmute": false})).await;
    agrees("POST", "/meetings/{meeting_id}/active-session/mute-all", &muted);
    app.enter(&meeting, "eve").await;
    let muted = app.post(&format!("{active}/mute"), json!({"custom_participant_ids": ["eve"]})).await;
    agrees("POST", "/meetings/{meeting_id}/active-session/mute", &muted);
    let ended =
        app.call("POST", &format!("{active}/kick-all")).header("content-type", "application/json").bytes(b"").send().await;
    agrees("POST", "/meetings/{meeting_id}/active-session/kick-all", &ended);
    let ended = agrees("GET", "/sessions/{session_id}", &app.get(&one).await);
    assert_eq!((&ended["data"]["status"], &ended["data"]["live_participants"]), (&json!("ENDED"), &json!(0)));
    assert!(ended["data"]["ended_at"].is_string());
}
