// Calls every method that the official Go SDK has, and says how many of them are there. Each answer is judged by the SDK's own
// types: fields beyond them, fields that they want and are missing, and fields of another type are named.
//
//	SALON_URL=http://127.0.0.1:8787 go run .
//
// Prints `N of N methods of the SDK`, naming those that Salon does not have yet, and `N passed, N failed`; exits with 1 if any
// check failed, a method was not called, or an answer was not as the types have it.
package main

import (
	"errors"
	"fmt"
	"os"
	"reflect"
	"runtime/debug"
	"strings"
	"time"

	kit "github.com/cloudflare/cloudflare-go/v7/realtime_kit"
)

const unknown = "00000000-0000-4000-8000-000000000000"

var (
	base    = strings.TrimRight(given("SALON_URL", "http://127.0.0.1:8787"), "/")
	account = given("SALON_ACCOUNT", "dev")
	app     = given("SALON_APP", "dev")
	token   = given("SALON_TOKEN", "dev-token")
	salon   = newSDK(base, token)
)

// beyond are fields that the product's documentation has, or its older specification, and the SDK's types do not.
var beyond = map[string][]string{
	"Recordings": {"type", "meeting_id", "err_message", "start_reason", "storage_config"},
	"Sessions":   {"paging"},
	// The web SDK reads the first; an answer has the whole livestream where the types have some of it, and lists have all.
	"Livestreams": {"manual_ingest", "created_at", "updated_at", "invoked_time", "meeting_id", "name", "livestreams", "sessions"},
}

var checks = map[string]func(){
	"meetings are made, found and changed":       meetings,
	"participants are added, found and changed":  participants,
	"presets are made, found and changed":        presets,
	"apps are made and found":                    apps,
	"webhooks are made, found and changed":       webhooks,
	"a session from first join to its end":       sessions,
	"recordings are started, found and stopped":  recordings,
	"livestreams are started, found and stopped": livestreams,
	"analytics are there":                        analytics,
	"what is wrong is refused in words":          refusals,
	"a wrong credential opens nothing":           credentials,
}

func meetings() {
	title := "Planning " + uuid()
	made := ok("Meetings.New", in(app), fields{
		"title": title, "persist_chat": true, "live_stream_on_start": true, "record_on_start": nil,
		"transcribe_on_end": true, "summarize_on_end": true, "session_keep_alive_time_in_secs": 90,
		"ai_config": fields{
			"transcription": fields{"language": "en-US", "keywords": []string{"salon"}, "profanity_filter": true},
			"summarization": fields{"word_limit": 300, "text_format": "markdown", "summary_type": "general"},
		},
		"recording_config": fields{
			"max_seconds": 600, "file_name_prefix": "planning",
			"audio_config":   fields{"codec": "AAC", "channel": "stereo", "export_file": true},
			"video_config":   fields{"codec": "H264", "width": 640, "height": 480},
			"storage_config": fields{"type": "aws", "access_key": "k", "secret": "s", "bucket": "b", "region": "r"},
		},
	})
	id := made.text("Data.ID")
	same(made.text("Data.Status"), "ACTIVE")
	same(made.number("Data.SessionKeepAliveTimeInSecs"), 90)
	same(made.text("Data.RecordingConfig.StorageConfig.Bucket"), "b")
	same(time.Since(made.time("Data.CreatedAt")) < time.Minute, true)

	shown := ok("Meetings.GetMeetingByID", in(app, id), fields{"name": "ignored"})
	same(shown.raw("Data"), made.raw("Data"))
	listed := ok("Meetings.Get", in(app), fields{
		"search": strings.ToUpper(title), "status": "ACTIVE", "page_no": 1, "per_page": 5,
		"start_time": time.Now().Add(-time.Hour), "end_time": time.Now().Add(time.Hour),
	})
	same(listed.texts("Data", "ID"), []string{id})
	same(listed.number("Paging.TotalCount"), 1)

	changed := ok("Meetings.UpdateMeetingByID", in(app, id), fields{"status": "INACTIVE", "title": "New"})
	same(changed.text("Data.Title"), "New")
	same(changed.truth("Data.PersistChat"), true)
	replaced := ok("Meetings.ReplaceMeetingByID", in(app, id), fields{"title": "Replaced"})
	same(replaced.text("Data.Title"), "Replaced")
	same(replaced.truth("Data.PersistChat"), false)
}

func participants() {
	meeting := newMeeting()
	ada := ok("Meetings.AddParticipant", in(app, meeting), fields{
		"custom_participant_id": "ada", "preset_name": "group_call_host", "name": "Ada", "picture": "https://example.org/ada.png",
	})
	id := ada.text("Data.ID")
	same(strings.Count(ada.text("Data.Token"), "."), 2)
	shown := ok("Meetings.GetMeetingParticipant", in(app, meeting, id), nil)
	same(shown.text("Data.PresetName"), "group_call_host")
	listed := ok("Meetings.GetMeetingParticipants", in(app, meeting), fields{"page_no": 1, "per_page": 10})
	same(listed.texts("Data", "ID"), []string{id})
	edited := ok("Meetings.EditParticipant", in(app, meeting, id), fields{"name": "Countess", "preset_name": "group_call_guest"})
	same([]string{edited.text("Data.Name"), edited.text("Data.PresetName")}, []string{"Countess", "group_call_guest"})
	refreshed := ok("Meetings.RefreshParticipantToken", in(app, meeting, id), nil)
	same(strings.HasPrefix(refreshed.text("Data.Token"), "eyJ"), true)
	deleted := ok("Meetings.DeleteMeetingParticipant", in(app, meeting, id), nil)
	same(deleted.text("Data.CustomParticipantID"), "ada")
	refused(404, "", "Meetings.GetMeetingParticipant", in(app, meeting, id), nil)
}

func presets() {
	name := "preset-" + uuid()
	listed := ok("Presets.Get", in(app), fields{"search": "group_call_host", "page_no": 1, "per_page": 1})
	host := ok("Presets.GetPresetByID", in(app, listed.text("Data.0.ID")), nil)
	same(host.truth("Data.Permissions.KickParticipant"), true)
	body := fields{"name": name}
	for _, part := range []string{"config", "permissions", "ui"} {
		body[part] = host.raw("Data")[part]
	}
	made := ok("Presets.New", in(app), body)
	id := made.text("Data.ID")
	for _, part := range []string{"config", "permissions", "ui"} {
		same(made.raw("Data")[part], body[part])
	}
	changed := ok("Presets.Update", in(app, id), fields{"permissions": fields{"media": fields{"audio": fields{"can_produce": "NOT_ALLOWED"}}}})
	same(changed.text("Data.Permissions.Media.Audio.CanProduce"), "NOT_ALLOWED")
	same(changed.text("Data.Permissions.Media.Video.CanProduce"), "ALLOWED")
	refused(409, "", "Presets.New", in(app), body)
	same(ok("Presets.Delete", in(app, id), nil).text("Data.ID"), id)
	refused(404, "", "Presets.GetPresetByID", in(app, id), nil)
}

func apps() {
	name := "app-" + uuid()
	made := ok("Apps.Post", nil, fields{"name": name})
	listed := ok("Apps.Get", nil, fields{"search": name, "page_no": 1, "per_page": 10, "sort_order": "ASC"})
	same(listed.texts("Data", "ID"), []string{made.text("Data.App.ID")})
	refused(409, "", "Apps.Post", nil, fields{"name": name})
}

func webhooks() {
	hook := fields{"name": "Hook", "url": "https://example.org/hook", "events": []string{"meeting.started", "meeting.participantJoined"}}
	made := ok("Webhooks.NewWebhook", in(app), hook)
	id := made.text("Data.ID")
	same(made.truth("Data.Enabled"), true)
	same(ok("Webhooks.GetWebhookByID", in(app, id), nil).raw("Data"), made.raw("Data"))
	same(strings.Contains(strings.Join(ok("Webhooks.GetWebhooks", in(app), nil).texts("Data", "ID"), " "), id), true)
	edited := ok("Webhooks.EditWebhook", in(app, id), fields{"enabled": false})
	same([]any{edited.truth("Data.Enabled"), edited.count("Data.Events")}, []any{false, 2})
	hook["events"] = []string{"meeting.ended"}
	same(ok("Webhooks.ReplaceWebhook", in(app, id), hook).count("Data.Events"), 1)
	hook["url"] = "http://10.0.0.1/"
	refused(400, "private network", "Webhooks.NewWebhook", in(app), hook)
	same(ok("Webhooks.DeleteWebhook", in(app, id), nil).text("Data.ID"), id)
	refused(404, "", "Webhooks.GetWebhookByID", in(app, id), nil)
}

func sessions() {
	meeting := newMeeting()
	refused(404, "No active session found for meeting_id "+meeting, "ActiveSession.GetActiveSession", in(app, meeting), nil)
	ada, adasPeer := comesIn(meeting, "Ada")
	defer adasPeer.leaves()
	bob, bobsPeer := comesIn(meeting, "Bob")
	defer bobsPeer.leaves()
	live := ok("ActiveSession.GetActiveSession", in(app, meeting), nil)
	same([]float64{live.number("Data.LiveParticipants"), live.number("Data.MaxConcurrentParticipants")}, []float64{2, 2})
	same([]string{live.text("Data.Status"), live.text("Data.AssociatedID")}, []string{"LIVE", meeting})
	id := live.text("Data.ID")

	kicked := ok("ActiveSession.KickParticipants", in(app, meeting), fields{
		"custom_participant_ids": []string{"custom-Bob", "nobody"}, "participant_ids": []string{},
	})
	same(kicked.texts("Data.Participants", "ID"), []string{bob})
	after := ok("ActiveSession.GetActiveSession", in(app, meeting), nil)
	same([]float64{after.number("Data.LiveParticipants"), after.number("Data.MaxConcurrentParticipants")}, []float64{1, 2})
	same(after.number("Data.MinutesConsumed") >= live.number("Data.MinutesConsumed"), true)
	asked := ok("ActiveSession.NewPoll", in(app, meeting), fields{"question": "Tea?", "options": []string{"yes", "no"}})
	same(asked.texts("Data.Poll.Options", "Text"), []string{"yes", "no"})
	same(ok("ActiveSession.KickAllParticipants", in(app, meeting), nil).number("Data.KickedParticipantsCount"), 1)
	refused(404, "", "ActiveSession.GetActiveSession", in(app, meeting), nil)

	details := ok("Sessions.GetSessionDetails", in(app, id), fields{"include_breakout_rooms": true})
	same(details.text("Data.Status"), "ENDED")
	listed := ok("Sessions.GetSessions", in(app), fields{
		"associated_id": meeting, "status": "ENDED", "participants": "1:10", "search": "planning", "sort_by": "minutesConsumed",
		"sort_order": "DESC", "page_no": 1, "per_page": 5, "start_time": time.Now().Add(-time.Hour), "end_time": time.Now().Add(time.Hour),
	})
	same(listed.texts("Data.Sessions", "ID"), []string{id})
	people := ok("Sessions.GetSessionParticipants", in(app, id), fields{
		"include_peer_events": true, "page_no": 1, "per_page": 10, "search": "Ada", "sort_by": "joinedAt", "sort_order": "ASC", "view": "raw",
	})
	same(people.texts("Data.Participants", "UserID"), []string{ada})
	same(people.texts("Data.Participants.0.PeerEvents", "EventName"), []string{"PEER_CREATED", "PEER_JOINING", "PEER_LEAVING"})
	one := ok("Sessions.GetSessionParticipantDetails", in(app, id, bobsPeer.id), fields{"include_peer_events": false})
	same(one.text("Data.Participant.UserID"), bob)
	report := ok("Sessions.GetParticipantDataFromPeerID", in(app, adasPeer.id), fields{"filters": "device_info", "include_peer_events": true})
	same(report.text("Data.Participant.SessionID"), id)
	same(strings.Contains(ok("Sessions.GetSessionChat", in(app, id), nil).text("Data.ChatDownloadURL"), "/downloads/chat/"), true)
	refused(404, "", "Sessions.GetSessionTranscripts", in(app, id), fields{"format": "CSV"})
	refused(404, "", "Sessions.GetSessionSummary", in(app, id), nil)
	refused(404, "", "Sessions.GenerateSummaryOfTranscripts", in(app, id), nil)
}

func recordings() {
	meeting := newMeeting()
	body := fields{"meeting_id": meeting, "user_ids": []string{"custom-Ada"}}
	refused(404, "", "Recordings.StartTrackRecording", in(app), body)
	refused(404, "", "Recordings.GetActiveRecordings", in(app, meeting), nil)
	_, peer := comesIn(meeting, "Ada")
	defer peer.leaves()
	body["layers"] = fields{"default": fields{"file_name_prefix": "speaker", "media_kind": "audio"}}
	started := ok("Recordings.StartTrackRecording", in(app), body)
	id := started.text("Data.Recording.ID")
	refused(409, "", "Recordings.StartTrackRecording", in(app), body)
	var found answer
	eventually("it records", func() bool {
		found = ok("Recordings.GetOneRecording", in(app, id), nil)
		return found.text("Data.Status") == "RECORDING"
	})
	same(ok("Recordings.GetActiveRecordings", in(app, meeting), nil).text("Data.ID"), id)
	listed := ok("Recordings.GetRecordings", in(app), fields{
		"meeting_id": meeting, "status": []string{"RECORDING", "PAUSED"}, "expired": false, "search": id[:18], "sort_by": "invokedTime",
		"sort_order": "ASC", "page_no": 1, "per_page": 10, "start_time": time.Now().Add(-time.Hour), "end_time": time.Now().Add(time.Hour),
	})
	same(listed.texts("Data", "ID"), []string{id})
	var stopped answer
	for _, act := range [][2]string{{"pause", "PAUSED"}, {"resume", "RECORDING"}, {"stop", ""}} {
		stopped = ok("Recordings.PauseResumeStopRecording", in(app, id), fields{"action": act[0]})
		same(act[1] == "" || stopped.text("Data.Status") == act[1], true)
	}
	same(stopped.text("Data.StopReason.Reason"), "API_CALL")
	refused(422, "", "Recordings.StartRecordings", in(app), fields{"meeting_id": meeting, "url": "https://example.org"})
}

func livestreams() {
	meeting := newMeeting()
	refused(404, "", "Livestreams.StartLivestreamingAMeeting", in(app, meeting), nil)
	_, peer := comesIn(meeting, "Ada")
	defer peer.leaves()
	started := ok("Livestreams.StartLivestreamingAMeeting", in(app, meeting), fields{
		"name": "Town-hall_1", "video_config": fields{"width": 640, "height": 360},
	})
	id := started.text("Data.ID")
	same(strings.HasSuffix(started.text("Data.PlaybackURL"), "/index.m3u8"), true)
	refused(409, "", "Livestreams.StartLivestreamingAMeeting", in(app, meeting), nil)
	same(ok("Livestreams.GetMeetingActiveLivestreams", in(app, meeting), nil).text("Data.ID"), id)
	session := ok("Livestreams.GetActiveLivestreamsForLivestreamID", in(app, id), nil)
	same(session.text("Data.Session.LivestreamID"), id)
	found := ok("Livestreams.GetLivestreamSessionForLivestreamID", in(app, id), fields{"page_no": 1, "per_page": 5})
	same(found.text("Data.Session.ID"), session.text("Data.Session.ID"))
	alone := ok("Livestreams.GetLivestreamSessionDetailsForSessionID", in(app, session.text("Data.Session.ID")), nil)
	same(alone.text("Data.LivestreamID"), id)
	listed := ok("Livestreams.GetAllLivestreams", in(app), fields{
		"exclude_meetings": false, "sort_order": "DSC", "page_no": 1, "per_page": 10,
		"start_time": time.Now().Add(-time.Hour), "end_time": time.Now().Add(time.Hour),
	})
	same(listed.number("Data.Paging.TotalCount") >= 1, true)
	span := fields{"start_time": 1, "end_time": 4_000_000_000}
	same(ok("Livestreams.GetLivestreamAnalyticsComplete", in(app), span).number("Data.Count") >= 1, true)
	ok("Livestreams.GetLivestreamAnalyticsDaywise", in(app), span)
	same(ok("Livestreams.StopLivestreamingAMeeting", in(app, meeting), nil).text("Data.Message"), "livestream stopped")
	radio := ok("Livestreams.NewIndependentLivestream", in(app), fields{"name": "Radio"})
	same(radio.text("Data.Name"), "Radio")
	same(strings.HasPrefix(radio.text("Data.IngestServer"), "rtmp://127.0.0.1:"), true)
	same(len(radio.text("Data.StreamKey")), 64)
	heard := ok("Livestreams.GetLivestreamSessionForLivestreamID", in(app, radio.text("Data.ID")), nil)
	same(heard.text("Data.Livestream.StreamKey"), radio.text("Data.StreamKey"))
	same(heard.text("Data.Livestream.Disabled"), "false")
	same(ok("Livestreams.GetAllLivestreams", in(app), fields{"exclude_meetings": true}).text("Data.ID"), radio.text("Data.ID"))
}

func analytics() {
	days := fields{"start_date": time.Now().AddDate(0, 0, -1).Format(time.DateOnly), "end_date": time.Now().Format(time.DateOnly)}
	for _, method := range []string{"Analytics.GetOrgAnalytics", "Livestreams.GetOrgAnalytics"} {
		same(ok(method, in(app), days).number("Data.SessionStats.SessionsCount") >= 0, true)
	}
}

func refusals() {
	refused(400, "must be a valid GUID", "Meetings.GetMeetingByID", in(app, "not-an-id"), nil)
	refused(400, `"session_keep_alive_time_in_secs"`, "Meetings.New", in(app), fields{"session_keep_alive_time_in_secs": 10})
	refused(400, `BAD_REQUEST: "name"`, "Apps.Post", nil, fields{"name": ""})
	nobody := fields{"custom_participant_id": "x", "preset_name": "nope"}
	refused(404, "No preset found with name nope", "Meetings.AddParticipant", in(app, newMeeting()), nobody)
	refused(404, "", "Meetings.GetMeetingByID", in(app, unknown), nil)
	refused(404, "", "Meetings.Get", in(unknown), nil)
}

func credentials() {
	wrong := newSDK(base, "wrong")
	_, err := wrong.call("Meetings.Get", in(app), nil)
	same(status(err), 403)
	var refusal *kit.Error
	errors.As(err, &refusal)
	same([]any{refusal.Errors[0].Code, refusal.Errors[0].Message}, []any{int64(10_000), "Authentication error"})
}

func newMeeting() string {
	return ok("Meetings.New", in(app), fields{"title": "Planning"}).text("Data.ID")
}

// comesIn answers with the id of the participant, and their socket.
func comesIn(meeting, name string) (string, peer) {
	added := ok("Meetings.AddParticipant", in(app, meeting), fields{
		"name": name, "preset_name": "group_call_participant", "custom_participant_id": "custom-" + name,
	})
	return added.text("Data.ID"), joins(base, meeting, added.text("Data.Token"))
}

func in(path ...string) []string { return path }

func ok(method string, path []string, given fields) answer {
	answer, err := salon.call(method, path, given)
	if err != nil {
		panic(fmt.Sprintf("%s: %d: %s", method, status(err), said(err)))
	}
	return answer
}

// refused checks that a call fails with this status and words.
func refused(wanted int, words, method string, path []string, given fields) {
	_, err := salon.call(method, path, given)
	if err == nil {
		panic(method + " was not refused")
	}
	same(status(err), wanted)
	if !strings.Contains(said(err), words) {
		panic(fmt.Sprintf("%s said %q, without %q", method, said(err), words))
	}
}

func status(err error) int {
	var refusal *kit.Error
	if !errors.As(err, &refusal) {
		return 0
	}
	return refusal.StatusCode
}

func eventually(what string, is func() bool) {
	for end := time.Now().Add(15 * time.Second); !is(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			panic("waited, but not: " + what)
		}
	}
}

func same[T any](got, wanted T) {
	if !reflect.DeepEqual(got, wanted) {
		panic(fmt.Sprintf("%v instead of %v", got, wanted))
	}
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}

func given(name, otherwise string) string {
	if value := os.Getenv(name); value != "" {
		return value
	}
	return otherwise
}

// passes runs one check, and says why it failed.
func passes(name string, check func()) (passed bool) {
	defer func() {
		if why := recover(); why != nil {
			fmt.Fprintf(os.Stderr, "FAILED %s: %v\n%s", name, why, debug.Stack())
		}
	}()
	check()
	return true
}

func main() {
	passed, failed := 0, 0
	for name, check := range checks {
		if passes(name, check) {
			passed++
		} else {
			failed++
		}
	}
	if !salon.tells() {
		failed++
	}
	fmt.Printf("%d passed, %d failed\n", passed, failed)
	if failed > 0 {
		os.Exit(1)
	}
}
