"""Calls every method that the official Python SDK has, in its sync and its async form, and says how many of them are there.

The SDK checks each answer strictly against its own types; what the types do not say is checked here.

    SALON_URL=http://127.0.0.1:8787 python tests/conformance/python/run.py

Prints `N of N methods of the SDK`, naming those that Salon does not have yet, and `N passed, N failed`; exits with 1 if any
check failed, a method was not called, or an answer has a field that neither the types nor the documentation have.
"""

import asyncio
import inspect
import os
import sys
import traceback
import uuid
from datetime import date, datetime, timedelta, timezone

import cloudflare
from cloudflare import AsyncCloudflare, Cloudflare

from peer import Peer

BASE = os.environ.get("SALON_URL", "http://127.0.0.1:8787").rstrip("/")
ACCOUNT = os.environ.get("SALON_ACCOUNT", "dev")
APP = os.environ.get("SALON_APP", "dev")
TOKEN = os.environ.get("SALON_TOKEN", "dev-token")

HERE = {"account_id": ACCOUNT, "app_id": APP}
UNKNOWN = "00000000-0000-4000-8000-000000000000"


async def done(result):
    """The result of a call of either client."""
    return await result if inspect.isawaitable(result) else result


async def refused(kind, call, *, holds=""):
    """Checks that a call raises an error of this class, whose body has the documented shape."""
    try:
        await done(call())
    except cloudflare.APIStatusError as error:
        assert type(error) is kind, f"{type(error).__name__} instead of {kind.__name__}: {error}"
        body = error.body
        assert body["success"] is False and body["error"]["code"] == error.status_code, body
        assert holds in body["error"]["message"], body
        assert error.errors and error.errors[0].message == body["error"]["message"], error.errors
        return error
    raise AssertionError(f"{kind.__name__} was expected")


def preset_body(preset):
    """What makes a preset like this one."""
    whole = preset.to_dict(mode="json", exclude_unset=True)
    return {part: whole[part] for part in ("config", "permissions", "ui")}


class Conformance:
    """The checks; each method is one, and begins from nothing."""

    def __init__(self, client):
        self.client = client
        self.kit = client.realtime_kit

    async def meeting(self, title="Planning", **fields):
        return (await done(self.kit.meetings.create(APP, account_id=ACCOUNT, title=title, **fields))).data

    async def participant(self, meeting_id, name="Ada", preset="group_call_participant"):
        added = self.kit.meetings.add_participant(
            meeting_id, **HERE, name=name, preset_name=preset, custom_participant_id=f"custom-{name}"
        )
        return (await done(added)).data

    async def enter(self, meeting_id, name="Ada"):
        participant = await self.participant(meeting_id, name)
        peer = await asyncio.to_thread(Peer, BASE, meeting_id, participant.token)
        return participant, peer

    async def active(self, meeting_id):
        return (await done(self.kit.active_session.get_active_session(meeting_id, **HERE))).data

    async def check_meetings_are_made_found_and_changed(self):
        meetings = self.kit.meetings
        made = await self.meeting(
            f"Planning {uuid.uuid4()}",
            record_on_start=None,
            live_stream_on_start=True,
            persist_chat=True,
            summarize_on_end=True,
            transcribe_on_end=True,
            session_keep_alive_time_in_secs=90,
            ai_config={
                "transcription": {"language": "en-US", "keywords": ["salon"], "profanity_filter": True},
                "summarization": {"word_limit": 300, "text_format": "markdown", "summary_type": "general"},
            },
            recording_config={
                "max_seconds": 600,
                "file_name_prefix": "planning",
                "audio_config": {"codec": "AAC", "channel": "stereo", "export_file": True},
                "video_config": {
                    "codec": "H264",
                    "width": 640,
                    "height": 480,
                    "watermark": {"url": "https://example.org/w.png", "position": "left top", "size": {"width": 1, "height": 1}},
                },
                "live_streaming_config": {"rtmp_url": "rtmp://example.org/x"},
                "realtimekit_bucket_config": {"enabled": False},
                "storage_config": {"type": "aws", "access_key": "k", "secret": "s", "bucket": "b", "region": "r"},
            },
        )
        assert made.status == "ACTIVE" and made.record_on_start is False and made.live_stream_on_start is True
        assert made.session_keep_alive_time_in_secs == 90
        assert made.recording_config.storage_config.bucket == "b"
        assert "secret" not in made.recording_config.storage_config.to_dict()
        assert isinstance(made.created_at, datetime) and made.created_at.tzinfo is not None

        shown = await done(meetings.get_meeting_by_id(made.id, **HERE, name="ignored"))
        assert shown.success is True and shown.data.to_dict() == made.to_dict()
        listed = await done(
            meetings.get(
                APP,
                account_id=ACCOUNT,
                search=made.title.upper(),
                status="ACTIVE",
                page_no=1,
                per_page=5,
                start_time=datetime.now(timezone.utc) - timedelta(hours=1),
                end_time=datetime.now(timezone.utc) + timedelta(hours=1),
            )
        )
        assert [meeting.id for meeting in listed.data] == [made.id]
        assert (listed.paging.total_count, listed.paging.start_offset, listed.paging.end_offset) == (1, 1, 1)

        changed = (await done(meetings.update_meeting_by_id(made.id, **HERE, status="INACTIVE", title="New"))).data
        assert (changed.status, changed.title, changed.persist_chat) == ("INACTIVE", "New", True)
        replaced = (await done(meetings.replace_meeting_by_id(made.id, **HERE, title="Replaced"))).data
        assert (replaced.status, replaced.persist_chat, replaced.recording_config) == ("INACTIVE", False, None)

    async def check_an_empty_meeting_is_a_meeting(self):
        made = (await done(self.kit.meetings.create(APP, account_id=ACCOUNT))).data
        assert made.title is None and made.session_keep_alive_time_in_secs == 60

    async def check_participants_are_added_found_and_changed(self):
        meetings, meeting = self.kit.meetings, await self.meeting()
        added = await done(
            meetings.add_participant(
                meeting.id,
                **HERE,
                custom_participant_id="ada",
                preset_name="group_call_host",
                name="Ada",
                picture="https://example.org/ada.png",
            )
        )
        ada = added.data
        assert ada.token.startswith("eyJ") and ada.token.count(".") == 2
        where = {**HERE, "meeting_id": meeting.id}
        shown = (await done(meetings.get_meeting_participant(ada.id, **where))).data
        assert (shown.name, shown.preset_name, shown.custom_participant_id) == ("Ada", "group_call_host", "ada")
        listed = await done(meetings.get_meeting_participants(meeting.id, **HERE, page_no=1, per_page=10))
        assert [person.id for person in listed.data] == [ada.id] and listed.paging.total_count == 1
        edited = (await done(meetings.edit_participant(ada.id, **where, name="Countess", preset_name="group_call_guest"))).data
        assert (edited.name, edited.preset_name) == ("Countess", "group_call_guest") and edited.token
        cleared = (await done(meetings.edit_participant(ada.id, **where, name=None, picture=None, preset_name=None))).data
        assert (cleared.name, cleared.picture, cleared.preset_name) == (None, None, "group_call_guest")
        refreshed = (await done(meetings.refresh_participant_token(ada.id, **where))).data
        assert refreshed.token.startswith("eyJ")
        deleted = (await done(meetings.delete_meeting_participant(ada.id, **where))).data
        assert deleted.custom_participant_id == "ada" and deleted.preset_id
        await refused(cloudflare.NotFoundError, lambda: meetings.get_meeting_participant(ada.id, **where))

    async def check_presets_are_made_found_and_changed(self):
        presets, name = self.kit.presets, f"preset-{uuid.uuid4()}"
        defaults = await done(presets.get(APP, account_id=ACCOUNT, search="group_call_host", page_no=1, per_page=1))
        host = (await done(presets.get_preset_by_id(defaults.data[0].id, **HERE))).data
        assert host.permissions.kick_participant is True and host.permissions.plugins.config == {}
        body = preset_body(host)
        made = (await done(presets.create(APP, account_id=ACCOUNT, name=name, **body))).data
        assert preset_body(made) == body and made.name == name
        changed = await done(presets.update(made.id, **HERE, permissions={"media": {"audio": {"can_produce": "NOT_ALLOWED"}}}))
        assert changed.data.permissions.media.audio.can_produce == "NOT_ALLOWED"
        assert changed.data.permissions.media.video.can_produce == "ALLOWED"
        replaced = (await done(presets.replace_preset_by_id(made.id, **HERE, name=f"{name}-2", **body))).data
        assert replaced.name == f"{name}-2" and preset_body(replaced) == body
        await refused(cloudflare.ConflictError, lambda: presets.create(APP, account_id=ACCOUNT, name=f"{name}-2", **body))
        deleted = (await done(presets.delete(made.id, **HERE))).data
        assert deleted.id == made.id
        await refused(cloudflare.NotFoundError, lambda: presets.get_preset_by_id(made.id, **HERE))

    async def check_a_preset_in_use_stays(self):
        presets = self.kit.presets
        listed = await done(presets.get(APP, account_id=ACCOUNT, search="group_call_guest"))
        await self.participant((await self.meeting()).id, preset="group_call_guest")
        await refused(cloudflare.UnprocessableEntityError, lambda: presets.delete(listed.data[0].id, **HERE))

    async def check_apps_are_made_and_found(self):
        apps, name = self.kit.apps, f"app-{uuid.uuid4()}"
        made = (await done(apps.post(account_id=ACCOUNT, name=name))).data.app
        listed = await done(apps.get(account_id=ACCOUNT, search=name, page_no=1, per_page=10, sort_order="ASC"))
        assert [app.id for app in listed.data] == [made.id] and listed.paging.total_count == 1
        presets = await done(self.kit.presets.get(made.id, account_id=ACCOUNT))
        assert presets.paging.total_count == 7
        await refused(cloudflare.ConflictError, lambda: apps.post(account_id=ACCOUNT, name=name))

    async def check_webhooks_are_made_found_and_changed(self):
        webhooks, url = self.kit.webhooks, "https://example.org/hook"
        events = ["meeting.started", "meeting.participantJoined"]
        made = (await done(webhooks.create_webhook(APP, account_id=ACCOUNT, name="Hook", url=url, events=events))).data
        assert (made.name, made.url, made.events, made.enabled) == ("Hook", url, events, True)
        assert isinstance(made.created_at, datetime) and made.created_at.tzinfo is not None
        listed = await done(webhooks.get_webhooks(APP, account_id=ACCOUNT))
        assert made.id in [webhook.id for webhook in listed.data]
        shown = await done(webhooks.get_webhook_by_id(made.id, **HERE))
        assert shown.success is True and shown.data.to_dict() == made.to_dict()
        edited = (await done(webhooks.edit_webhook(made.id, **HERE, enabled=False))).data
        assert (edited.enabled, edited.events, edited.url) == (False, events, url)
        every = (await done(webhooks.replace_webhook(made.id, **HERE, name="All", url=url, events=["meeting.ended"]))).data
        assert (every.name, every.enabled, every.events) == ("All", True, ["meeting.ended"])
        bad = cloudflare.BadRequestError
        private = {"name": "Hook", "url": "http://10.0.0.1/", "events": events}
        await refused(bad, lambda: webhooks.create_webhook(APP, account_id=ACCOUNT, **private), holds="private network")
        await refused(bad, lambda: webhooks.get_webhook_by_id("not-an-id", **HERE), holds="must be a valid GUID")
        deleted = (await done(webhooks.delete_webhook(made.id, **HERE))).data
        assert deleted.to_dict() == every.to_dict()
        await refused(cloudflare.NotFoundError, lambda: webhooks.get_webhook_by_id(made.id, **HERE))

    async def check_a_session_from_first_join_to_its_end(self):
        meeting = await self.meeting()
        active = self.kit.active_session
        none = await refused(cloudflare.NotFoundError, lambda: active.get_active_session(meeting.id, **HERE))
        assert none.body["error"]["message"] == f"No active session found for meeting_id {meeting.id}"

        ada, ada_peer = await self.enter(meeting.id, "Ada")
        bob, bob_peer = await self.enter(meeting.id, "Bob")
        session = await self.active(meeting.id)
        assert (session.live_participants, session.max_concurrent_participants) == (2, 2)
        assert (session.status, session.type, session.associated_id) == ("LIVE", "meeting", meeting.id)
        assert (session.organization_id, session.meeting_display_name) == (APP, "Planning")
        assert session.ended_at is None and session.minutes_consumed >= 0

        kicked = await done(active.kick_participants(meeting.id, **HERE, custom_participant_ids=["custom-Bob", "nobody"]))
        assert [person.id for person in kicked.data.participants] == [bob.id] and kicked.data.action == "kick"
        after = await self.active(meeting.id)
        assert (after.live_participants, after.max_concurrent_participants) == (1, 2)
        assert after.minutes_consumed >= session.minutes_consumed
        missing = await refused(
            cloudflare.NotFoundError, lambda: active.kick_participants(meeting.id, **HERE, participant_ids=[UNKNOWN])
        )
        assert missing.body["error"]["message"] == f"No user found with id {UNKNOWN}"
        await refused(cloudflare.BadRequestError, lambda: active.kick_participants(meeting.id, **HERE))
        asked = (await done(active.create_poll(meeting.id, **HERE, question="Tea?", options=["yes", "no"]))).data
        assert ([option.text for option in asked.poll.options], asked.poll.voted) == (["yes", "no"], [])

        ended = (await done(active.kick_all_participants(meeting.id, **HERE))).data
        assert ended.kicked_participants_count == 1
        await refused(cloudflare.NotFoundError, lambda: active.get_active_session(meeting.id, **HERE))
        await refused(cloudflare.NotFoundError, lambda: active.kick_all_participants(meeting.id, **HERE))

        sessions = self.kit.sessions
        details = (await done(sessions.get_session_details(session.id, **HERE, include_breakout_rooms=True))).data
        assert (details.status, details.live_participants) == ("ENDED", 0) and details.ended_at
        listed = await done(
            sessions.get_sessions(
                APP,
                account_id=ACCOUNT,
                associated_id=meeting.id,
                status="ENDED",
                participants="1:10",
                search="planning",
                sort_by="minutesConsumed",
                sort_order="DESC",
                page_no=1,
                per_page=5,
                start_time=datetime.now(timezone.utc) - timedelta(hours=1),
                end_time=datetime.now(timezone.utc) + timedelta(hours=1),
            )
        )
        assert [found.id for found in listed.data.sessions] == [session.id] and listed.paging.total_count == 1
        people = await done(
            sessions.get_session_participants(
                session.id,
                **HERE,
                include_peer_events=True,
                page_no=1,
                per_page=10,
                search="a",
                sort_by="joinedAt",
                sort_order="ASC",
                view="raw",
            )
        )
        found = {person.id: person for person in people.data.participants}
        assert found[ada_peer.id].user_id == ada.id and found[ada_peer.id].left_at is not None
        names = [event.event_name for event in found[ada_peer.id].peer_events]
        assert names == ["PEER_CREATED", "PEER_JOINING", "PEER_LEAVING"]
        one = await done(
            sessions.get_session_participant_details(bob_peer.id, **HERE, session_id=session.id, include_peer_events=False)
        )
        assert one.data.participant.user_id == bob.id
        report = await done(
            sessions.get_participant_data_from_peer_id(ada_peer.id, **HERE, filters="device_info", include_peer_events=True)
        )
        assert report.data.participant.session_id == session.id
        chat = await done(sessions.get_session_chat(session.id, **HERE))
        assert "/downloads/chat/" in chat.data.chat_download_url, chat
        for call in (
            lambda: sessions.get_session_transcripts(session.id, **HERE, format="CSV"),
            lambda: sessions.get_session_summary(session.id, **HERE),
            lambda: sessions.generate_summary_of_transcripts(session.id, **HERE),
        ):
            await refused(cloudflare.NotFoundError, call)

    async def check_an_empty_session_waits(self):
        meeting = await self.meeting()
        _, peer = await self.enter(meeting.id)
        first = await self.active(meeting.id)
        await asyncio.to_thread(peer.leave)
        for _ in range(200):
            session = await self.active(meeting.id)
            if session.live_participants == 0:
                break
            await asyncio.sleep(0.01)
        assert (session.id, session.live_participants, session.status) == (first.id, 0, "LIVE")
        await self.enter(meeting.id, "Bob")
        again = await self.active(meeting.id)
        assert (again.id, again.live_participants, again.max_concurrent_participants) == (first.id, 1, 1)
        await done(self.kit.active_session.kick_all_participants(meeting.id, **HERE))

    async def check_recordings_are_started_found_and_stopped(self):
        recordings = self.kit.recordings
        meeting = await self.meeting()
        body = {"account_id": ACCOUNT, "meeting_id": meeting.id, "user_ids": ["custom-Ada"]}
        await refused(cloudflare.NotFoundError, lambda: recordings.start_track_recording(APP, **body))
        await refused(cloudflare.NotFoundError, lambda: recordings.get_active_recordings(meeting.id, **HERE))
        _, peer = await self.enter(meeting.id)
        layers = {"default": {"file_name_prefix": "speaker", "media_kind": "audio"}}
        started = (await done(recordings.start_track_recording(APP, **body, layers=layers))).data.recording
        assert started.status == "INVOKED" and started.output_file_name.startswith("speaker_"), started
        await refused(cloudflare.ConflictError, lambda: recordings.start_track_recording(APP, **body))
        for _ in range(500):
            found = (await done(recordings.get_one_recording(started.id, **HERE))).data
            if found.status != "INVOKED":
                break
            await asyncio.sleep(0.02)
        assert found.status == "RECORDING" and found.start_reason.caller.type == "ORGANIZATION", found
        assert (await done(recordings.get_active_recordings(meeting.id, **HERE))).data.id == started.id
        listed = await done(
            recordings.get_recordings(
                APP,
                account_id=ACCOUNT,
                meeting_id=meeting.id,
                status=["RECORDING", "PAUSED"],
                expired=False,
                search=started.id[:18],
                sort_by="invokedTime",
                sort_order="ASC",
                page_no=1,
                per_page=10,
                start_time=datetime.now(timezone.utc) - timedelta(hours=1),
                end_time=datetime.now(timezone.utc) + timedelta(hours=1),
            )
        )
        assert [one.id for one in listed.data] == [started.id] and listed.data[0].meeting.id == meeting.id
        for action, status in (("pause", "PAUSED"), ("resume", "RECORDING")):
            acted = await done(recordings.pause_resume_stop_recording(started.id, **HERE, action=action))
            assert acted.data.status == status, acted
        stopped = (await done(recordings.pause_resume_stop_recording(started.id, **HERE, action="stop"))).data
        assert stopped.stop_reason.reason == "API_CALL", stopped
        whole = {"account_id": ACCOUNT, "meeting_id": meeting.id, "url": "https://example.org"}
        await refused(cloudflare.UnprocessableEntityError, lambda: recordings.start_recordings(APP, **whole))
        await refused(cloudflare.NotFoundError, lambda: recordings.get_one_recording(UNKNOWN, **HERE))
        await asyncio.to_thread(peer.leave)

    async def check_analytics_are_there_and_livestreams_answer_in_words(self):
        meeting, days = await self.meeting(), {"start_date": date.today() - timedelta(days=1), "end_date": date.today()}
        sums = (await done(self.kit.analytics.get_org_analytics(APP, account_id=ACCOUNT, **days))).data
        assert sums.session_stats.sessions_count >= 0 and sums.recording_stats.recording_count >= 0, sums
        streams, whose = self.kit.livestreams, {"account_id": ACCOUNT}
        for call in (
            lambda: streams.get_all_livestreams(APP, **whose, page_no=1, per_page=5),
            lambda: streams.get_livestream_analytics_complete(APP, **whose),
            lambda: streams.get_livestream_analytics_daywise(APP, **whose),
            lambda: streams.get_org_analytics(APP, **whose, **days),
            lambda: streams.get_active_livestreams_for_livestream_id(UNKNOWN, **HERE),
            lambda: streams.get_livestream_session_for_livestream_id(UNKNOWN, **HERE),
            lambda: streams.get_livestream_session_details_for_session_id(UNKNOWN, **HERE),
            lambda: streams.get_meeting_active_livestreams(meeting.id, **HERE),
            lambda: streams.start_livestreaming_a_meeting(meeting.id, **HERE),
            lambda: streams.stop_livestreaming_a_meeting(meeting.id, **HERE),
        ):
            try:
                assert (await done(call())).success is True
            except cloudflare.APIStatusError as error:
                assert error.status_code in (404, 409, 422) and error.errors[0].message, error

    async def check_livestreams_are_started_found_and_stopped(self):
        livestreams = self.kit.livestreams
        meeting = await self.meeting()
        assert (await done(livestreams.get_meeting_active_livestreams(meeting.id, **HERE))).data.id is None
        await done(livestreams.stop_livestreaming_a_meeting(meeting.id, **HERE))
        start = {"name": "Town-hall_1", "video_config": {"width": 640, "height": 360}}
        await refused(cloudflare.NotFoundError, lambda: livestreams.start_livestreaming_a_meeting(meeting.id, **HERE, **start))
        _, peer = await self.enter(meeting.id)
        started = (await done(livestreams.start_livestreaming_a_meeting(meeting.id, **HERE, **start))).data
        assert started.status == "INVOKED" and started.playback_url.endswith("/index.m3u8"), started
        await refused(cloudflare.ConflictError, lambda: livestreams.start_livestreaming_a_meeting(meeting.id, **HERE))
        active = (await done(livestreams.get_meeting_active_livestreams(meeting.id, **HERE))).data
        assert (active.id, active.meeting_id, active.name) == (started.id, meeting.id, "Town-hall_1"), active
        session = (await done(livestreams.get_active_livestreams_for_livestream_id(started.id, **HERE))).data.session
        assert session.livestream_id == started.id, session
        found = (await done(livestreams.get_livestream_session_for_livestream_id(started.id, **HERE, page_no=1, per_page=5))).data
        assert (found.livestream.id, found.session.id, found.paging.total_count) == (started.id, session.id, 1), found
        alone = (await done(livestreams.get_livestream_session_details_for_session_id(session.id, **HERE))).data
        assert alone.livestream_id == started.id, alone
        listed = await done(
            livestreams.get_all_livestreams(
                APP,
                account_id=ACCOUNT,
                exclude_meetings=False,
                sort_order="DSC",
                page_no=1,
                per_page=10,
                start_time=datetime.now(timezone.utc) - timedelta(hours=1),
                end_time=datetime.now(timezone.utc) + timedelta(hours=1),
            )
        )
        assert listed.data.id == started.id and listed.data.paging.total_count >= 1, listed
        span = {"start_time": 1, "end_time": 4_000_000_000}
        overall = (await done(livestreams.get_livestream_analytics_complete(APP, account_id=ACCOUNT, **span))).data
        days = (await done(livestreams.get_livestream_analytics_daywise(APP, account_id=ACCOUNT, **span))).data
        assert overall.count >= 1 and sum(day.count for day in days) == overall.count, (overall, days)
        # The SDK makes none of no meeting, and finds them.
        path = f"/accounts/{ACCOUNT}/realtime/kit/{APP}/livestreams"
        radio = (await done(self.kit._client.post(path, body={"name": "Radio"}, cast_to=object)))["data"]
        of_none = (await done(livestreams.get_all_livestreams(APP, account_id=ACCOUNT, exclude_meetings=True))).data
        assert (of_none.id, of_none.stream_key, of_none.disabled) == (radio["id"], radio["stream_key"], "false"), of_none
        alone = (await done(livestreams.get_livestream_session_for_livestream_id(radio["id"], **HERE))).data
        assert alone.livestream.ingest_server == radio["ingest_server"] and alone.session is None, alone
        stopped = (await done(livestreams.stop_livestreaming_a_meeting(meeting.id, **HERE))).data
        assert stopped.message == "livestream stopped", stopped
        await refused(cloudflare.NotFoundError, lambda: livestreams.get_livestream_session_details_for_session_id(UNKNOWN, **HERE))
        await asyncio.to_thread(peer.leave)

    async def check_an_inactive_meeting_lets_nobody_in(self):
        meeting = await self.meeting()
        await done(self.kit.meetings.update_meeting_by_id(meeting.id, **HERE, status="INACTIVE"))
        try:
            await self.enter(meeting.id)
        except (AssertionError, OSError):
            pass
        else:
            raise AssertionError("a peer came in")
        await refused(cloudflare.NotFoundError, lambda: self.active(meeting.id))

    async def check_what_is_wrong_is_refused_in_words(self):
        kit, meeting = self.kit, await self.meeting()
        bad = cloudflare.BadRequestError
        await refused(bad, lambda: kit.meetings.get_meeting_by_id("not-an-id", **HERE), holds="must be a valid GUID")
        await refused(
            bad,
            lambda: kit.meetings.create(APP, account_id=ACCOUNT, session_keep_alive_time_in_secs=10),
            holds='"session_keep_alive_time_in_secs"',
        )
        await refused(bad, lambda: kit.apps.post(account_id=ACCOUNT, name=""), holds='BAD_REQUEST: "name"')
        await refused(
            cloudflare.NotFoundError,
            lambda: kit.meetings.add_participant(meeting.id, **HERE, custom_participant_id="x", preset_name="nope"),
            holds="No preset found with name nope",
        )
        await refused(cloudflare.NotFoundError, lambda: kit.meetings.get_meeting_by_id(UNKNOWN, **HERE))
        await refused(cloudflare.NotFoundError, lambda: kit.sessions.get_session_details(UNKNOWN, **HERE))
        await refused(cloudflare.NotFoundError, lambda: kit.meetings.get(UNKNOWN, account_id=ACCOUNT))

    async def check_credentials(self):
        url = f"{BASE}/client/v4"
        other = type(self.client)
        for good in (
            {"api_token": TOKEN, "base_url": f"{BASE}/"},
            {"api_email": "me@example.org", "api_key": TOKEN, "base_url": url},
        ):
            client = other(_strict_response_validation=True, **good)
            assert (await done(client.realtime_kit.meetings.get(APP, account_id=ACCOUNT))).success is True
        for wrong in ({"api_token": "wrong"}, {"api_email": "me@example.org", "api_key": "wrong"}):
            client = other(base_url=url, _strict_response_validation=True, **wrong)
            try:
                await done(client.realtime_kit.meetings.get(APP, account_id=ACCOUNT))
            except cloudflare.PermissionDeniedError as error:
                assert error.errors[0].code == 10000 and error.errors[0].message == "Authentication error"
            else:
                raise AssertionError("a wrong credential was taken")


def clients():
    """Both forms of the client, with all checks of the SDK on and its retries off: a retry would hide an error."""
    options = {
        "api_token": TOKEN,
        "base_url": f"{BASE}/client/v4",
        "max_retries": 0,
        "_strict_response_validation": True,
    }
    return {"sync": Cloudflare(**options), "async": AsyncCloudflare(**options)}


# Fields that the product's documentation has, or its older specification, and the SDK's types do not.
BEYOND = {
    "recordings": {"type", "meeting_id", "err_message", "start_reason", "storage_config"},
    "sessions": {"paging"},
    # The web SDK reads the first; an answer has the whole livestream where the types have some of it, and lists have all.
    "livestreams": {"manual_ingest", "created_at", "updated_at", "invoked_time", "meeting_id", "name", "livestreams", "sessions"},
}


class Methods:
    """Which methods the SDK has, and what came of calling them."""

    def __init__(self, kit):
        self.outcomes = {}
        self.extra = set()
        for name, resource in inspect.getmembers(type(kit), lambda member: not inspect.isfunction(member)):
            if name.startswith("_") or name.startswith("with_"):
                continue
            resource = type(getattr(kit, name))
            for method, call in inspect.getmembers(resource, inspect.isfunction):
                if method.startswith("_") or method not in vars(resource):
                    continue
                self.outcomes[f"{name}.{method}"] = set()
                setattr(resource, method, self.noted(f"{name}.{method}", call))

    def noted(self, name, call):
        if inspect.iscoroutinefunction(inspect.unwrap(call)):

            async def noting(*args, **kwargs):
                try:
                    return self.answered(name, await call(*args, **kwargs))
                except cloudflare.APIStatusError as error:
                    self.refused(name, error)
                    raise
        else:

            def noting(*args, **kwargs):
                try:
                    return self.answered(name, call(*args, **kwargs))
                except cloudflare.APIStatusError as error:
                    self.refused(name, error)
                    raise

        return noting

    def answered(self, name, answer):
        self.outcomes[name].add("answered")
        self.extra |= {f"{name}: {path}" for path in beyond_the_types(answer)}
        return answer

    def refused(self, name, error):
        if "NOT_IMPLEMENTED" in str(error.body):
            self.outcomes[name].add("missing")
        elif error.status_code != 403:
            self.outcomes[name].add("refused")

    def tell(self, form):
        """Says how many of them are there, and which are not; answers with what is wrong."""
        there = [name for name, outcomes in self.outcomes.items() if "answered" in outcomes]
        nothing = [name for name, outcomes in self.outcomes.items() if outcomes == {"refused"}]
        missing = [name for name, outcomes in self.outcomes.items() if "missing" in outcomes and "answered" not in outcomes]
        uncalled = [name for name, outcomes in self.outcomes.items() if not outcomes]
        print(f"{form}: {len(there) + len(nothing)} of {len(self.outcomes)} methods of the SDK")
        for what, names in (("nothing was there for", nothing), ("not there yet", missing), ("not called", uncalled)):
            if names:
                print(f"  {what}: {', '.join(names)}")
        beyond = sorted(extra for extra in self.extra if extra.rsplit(".", 1)[1] not in BEYOND.get(extra.split(".", 1)[0], ()))
        for extra in beyond:
            print(f"  beyond the types: {extra}")
        return uncalled + beyond


def beyond_the_types(value, path=""):
    """The fields of an answer that the SDK's types do not have."""
    if isinstance(value, cloudflare.BaseModel):
        for name in value.model_extra or {}:
            yield f"{path}.{name}"
        for name in value.model_fields_set - set(value.model_extra or {}):
            yield from beyond_the_types(getattr(value, name), f"{path}.{name}")
    elif isinstance(value, list):
        for item in value:
            yield from beyond_the_types(item, f"{path}[]")


async def main() -> int:
    passed = failed = 0
    for form, client in clients().items():
        methods = Methods(client.realtime_kit)
        checks = Conformance(client)
        for name, check in inspect.getmembers(checks, inspect.ismethod):
            if not name.startswith("check_"):
                continue
            try:
                await check()
                passed += 1
            except Exception:
                failed += 1
                print(f"FAILED {form} {name}", file=sys.stderr)
                traceback.print_exc()
        if methods.tell(form):
            failed += 1
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
