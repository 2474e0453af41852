//! Changing things: what a request may say, what stays, and what stands in the way.

use serde_json::json;

use crate::support::{TestApp, Text, preset_body};

#[tokio::test]
async fn patch_changes_what_is_sent_and_put_the_rest_too() {
    let app = TestApp::dev().await;
    let body = json!({"title": "Planning", "persist_chat": true, "session_keep_alive_time_in_secs": 300,
        "recording_config": {"max_seconds": 600, "video_config": {"width": 640, "height": 480},
            "storage_config": {"type": "aws", "secret": "s3cret", "bucket": "b"}}});
    let made = app.post("/meetings", body).await.expect(201)["data"].clone();
    let one = format!("/meetings/{}", made["id"].text());
    let patch = json!({"record_on_start": true, "recording_config": {"video_config": {"width": 1280}}});
    let patched = app.call("PATCH", &one).json(&patch).send().await.expect(200)["data"].clone();
    let mut expected = made.clone();
    expected["record_on_start"] = true.into();
    expected["recording_config"]["video_config"]["width"] = 1280.into();
    expected["updated_at"] = patched["updated_at"].clone();
    assert_eq!(patched, expected);
    assert_eq!(app.get(&one).await.expect(200)["data"], expected);
    // Null in a configuration removes what it names; keys that nobody reads are not kept.
    let patch = json!({"recording_config": {"max_seconds": null, "storage_config": null, "stray": 1}});
    let patched = app.call("PATCH", &one).json(&patch).send().await.expect(200)["data"]["recording_config"].clone();
    assert_eq!(patched, json!({"storage_config": null, "video_config": {"width": 1280, "height": 480}}));
    // An empty patch is one too, and so is nothing at all.
    app.call("PATCH", &one).json(&json!({})).send().await.expect(200);
    app.call("PATCH", &one).header("content-type", "application/json").send().await.expect(200);
    assert_eq!(
        app.call("PATCH", &one).json(&json!({"title": null})).send().await.refused(400),
        "BAD_REQUEST: \"title\" must not be null"
    );

    let replaced =
        app.call("PUT", &one).json(&json!({"title": null, "record_on_start": null})).send().await.expect(200)["data"].clone();
    let fields: Vec<_> = ["title", "recording_config", "ai_config"].iter().filter(|name| replaced.get(*name).is_some()).collect();
    assert!(fields.is_empty(), "{fields:?} should be back at nothing");
    assert_eq!((&replaced["persist_chat"], &replaced["session_keep_alive_time_in_secs"]), (&json!(false), &json!(60)));
    assert_eq!(replaced["created_at"], made["created_at"]);
}

#[tokio::test]
async fn two_changes_at_once_both_count() {
    let app = TestApp::dev().await;
    let one = format!("/meetings/{}", app.meeting("Planning").await);
    for _ in 0..10 {
        let (title, chat) = (json!({"title": "New"}), json!({"persist_chat": true}));
        let calls = tokio::join!(app.call("PATCH", &one).json(&title).send(), app.call("PATCH", &one).json(&chat).send());
        assert_eq!((calls.0.status, calls.1.status), (200, 200));
        let now = app.get(&one).await.expect(200)["data"].clone();
        assert_eq!((&now["title"], &now["persist_chat"]), (&json!("New"), &json!(true)));
        app.call("PUT", &one).json(&json!({"title": "Planning"})).send().await.expect(200);
    }
}

#[tokio::test]
async fn values_outside_their_bounds() {
    let app = TestApp::dev().await;
    let long = "x".repeat(513);
    let cases = [
        (json!({"session_keep_alive_time_in_secs": 59}), "\"session_keep_alive_time_in_secs\" must be between 60 and 600"),
        (json!({"session_keep_alive_time_in_secs": 601}), "\"session_keep_alive_time_in_secs\" must be between 60 and 600"),
        (json!({"session_keep_alive_time_in_secs": "60"}), "\"session_keep_alive_time_in_secs\" must be a number"),
        (json!({"title": long}), "\"title\" must not be longer than 512 characters"),
        (json!({"title": {}}), "\"title\" must be a string"),
        (json!({"record_on_start": "true"}), "\"record_on_start\" must be a boolean"),
        (
            json!({"recording_config": {"max_seconds": 59}}),
            "\"recording_config.max_seconds\" must be greater than or equal to 60",
        ),
        (
            json!({"recording_config": {"video_config": {"width": 1921}}}),
            "\"recording_config.video_config.width\" must be less than or equal to 1920",
        ),
        (
            json!({"recording_config": {"video_config": {"codec": "AV1"}}}),
            "\"recording_config.video_config.codec\" must be one of H264, VP8, VP9",
        ),
        (
            json!({"ai_config": {"summarization": {"word_limit": 149}}}),
            "\"ai_config.summarization.word_limit\" must be greater than or equal to 150",
        ),
        (
            json!({"recording_config": {"video_config": {"watermark": {"url": "javascript:x"}}}}),
            "\"recording_config.video_config.watermark.url\" must be a valid uri",
        ),
    ];
    let one = format!("/meetings/{}", app.meeting("Planning").await);
    for (body, why) in cases {
        for (method, path) in [("POST", "/meetings"), ("PUT", one.as_str()), ("PATCH", one.as_str())] {
            let said = app.call(method, path).json(&body).send().await;
            assert_eq!(said.refused(400), format!("BAD_REQUEST: {why}"), "{method} {body}");
        }
    }
    app.call("PATCH", &one).json(&json!({"status": "OPEN"})).send().await.refused(400);
    let other = TestApp::with(|config| config.limits.session_keep_alive_min_secs = 1).await;
    other.post("/meetings", json!({"session_keep_alive_time_in_secs": 1})).await.expect(201);
}

#[tokio::test]
async fn participants_need_a_preset_and_an_id_of_the_callers_own() {
    let app = TestApp::dev().await;
    let meeting = app.meeting("Planning").await;
    let people = format!("/meetings/{meeting}/participants");
    let good = json!({"preset_name": "group_call_host", "custom_participant_id": "ada", "name": null, "picture": null});
    let added = app.post(&people, good.clone()).await.expect(201)["data"].clone();
    assert_eq!((&added["name"], &added["picture"]), (&json!(null), &json!(null)));
    let with = |field: &str, value: serde_json::Value| {
        let mut body = good.clone();
        body[field] = value;
        body
    };
    let cases = [
        (json!({"preset_name": "group_call_host"}), 400, "BAD_REQUEST: \"custom_participant_id\" is required"),
        (json!({"custom_participant_id": "ada"}), 400, "BAD_REQUEST: \"preset_name\" is required"),
        (with("preset_name", "nope".into()), 404, "No preset found with name nope"),
        (with("preset_name", "".into()), 400, "BAD_REQUEST: \"preset_name\" is not allowed to be empty"),
        (with("custom_participant_id", "".into()), 400, "BAD_REQUEST: \"custom_participant_id\" is not allowed to be empty"),
        (
            with("custom_participant_id", "x".repeat(257).into()),
            400,
            "BAD_REQUEST: \"custom_participant_id\" must not be longer than 256 characters",
        ),
        (with("name", "x".repeat(257).into()), 400, "BAD_REQUEST: \"name\" must not be longer than 256 characters"),
        (with("picture", "nonsense".into()), 400, "BAD_REQUEST: \"picture\" must be a valid uri"),
        (with("picture", "javascript:alert(1)".into()), 400, "BAD_REQUEST: \"picture\" must be a valid uri"),
        (with("name", 5.into()), 400, "BAD_REQUEST: \"name\" must be a string"),
    ];
    for (body, status, why) in cases {
        assert_eq!(app.post(&people, body.clone()).await.refused(status), why, "{body}");
    }
    app.post("/meetings/00000000-0000-4000-8000-000000000000/participants", good).await.refused(404);
    let one = format!("{people}/{}", added["id"].text());
    app.call("PATCH", &one).json(&json!({"preset_name": "nope"})).send().await.refused(404);
    let patched = app.call("PATCH", &one).json(&json!({"preset_name": null, "name": "Ada"})).send().await.expect(200);
    assert_eq!((&patched["data"]["preset_name"], &patched["data"]["name"]), (&json!("group_call_host"), &json!("Ada")));
    assert!(patched["data"]["token"].text().starts_with("eyJ"));
}

#[tokio::test]
async fn presets_are_strict() {
    let app = TestApp::dev().await;
    let change = |pointer: &str, value: serde_json::Value| {
        let mut body = preset_body("mine");
        match pointer.rsplit_once('/') {
            Some((parent, key)) => body.pointer_mut(parent).expect("a part of every preset")[key] = value,
            None => unreachable!("pointers begin with a slash"),
        }
        body
    };
    let without = |part: &str| {
        let mut body = preset_body("mine");
        body.as_object_mut().expect("an object").remove(part);
        body
    };
    let cases = [
        (without("name"), "\"name\" is required"),
        (without("ui"), "\"ui\" is required"),
        (without("permissions"), "\"permissions\" is required"),
        (change("/stray", 1.into()), "\"stray\" is not allowed"),
        (change("/config/permissions", json!({})), "\"config.permissions\" is not allowed"),
        (
            change("/config/view_type", "PARTY".into()),
            "\"config.view_type\" must be one of GROUP_CALL, WEBINAR, AUDIO_ROOM, LIVESTREAM",
        ),
        (change("/permissions/can_record", "yes".into()), "\"permissions.can_record\" must be a boolean"),
        (
            change("/permissions/media/audio/can_produce", "MAYBE".into()),
            "\"permissions.media.audio.can_produce\" must be one of ALLOWED, NOT_ALLOWED, CAN_REQUEST",
        ),
        (change("/config/media/video/frame_rate", 31.into()), "\"config.media.video.frame_rate\" must be between 0 and 30"),
        (change("/name", "".into()), "\"name\" is not allowed to be empty"),
        (change("/ui/config_diff", json!({"x": "y".repeat(70_000)})), "the preset must not be larger than 65536 bytes"),
    ];
    for (body, why) in cases {
        assert_eq!(app.post("/presets", body).await.refused(400), format!("BAD_REQUEST: {why}"));
    }
    let made = app.post("/presets", preset_body("mine")).await.expect(200)["data"].clone();
    let one = format!("/presets/{}", made["id"].text());
    for patch in
        [json!({"stray": 1}), json!({"config": {"stray": 1}}), json!({"config": null}), json!({"id": "x"}), json!({"name": 5})]
    {
        app.call("PATCH", &one).json(&patch).send().await.refused(400);
    }
    assert_eq!(app.get(&one).await.expect(200)["data"], made, "a refused change changes nothing");
    // Names are one of a kind in an app.
    for (method, path, body) in
        [("POST", "/presets", preset_body("mine")), ("PATCH", one.as_str(), json!({"name": "group_call_host"}))]
    {
        let said = app.call(method, path).json(&body).send().await;
        said.refused(409);
        assert_eq!(said.header("x-should-retry"), Some("false"));
    }
}

#[tokio::test]
async fn a_preset_in_use_stays() {
    let app = TestApp::dev().await;
    let made = app.post("/presets", preset_body("mine")).await.expect(200)["data"]["id"].text();
    let meeting = app.meeting("Planning").await;
    let person = app.participant(&meeting, "mine", "ada").await["id"].text();
    let one = format!("/presets/{made}");
    app.call("DELETE", &one).send().await.refused(422);
    // A new name reaches those who have it.
    app.call("PATCH", &one).json(&json!({"name": "ours"})).send().await.expect(200);
    let shown = app.get(&format!("/meetings/{meeting}/participants/{person}")).await.expect(200);
    assert_eq!(shown["data"]["preset_name"], "ours");
    app.call("DELETE", &format!("/meetings/{meeting}/participants/{person}")).send().await.expect(200);
    app.call("DELETE", &one).send().await.expect(200);
    app.call("DELETE", &one).send().await.refused(404);
}
