//! The stage of a webinar: the audience asks, presenters decide.

use salon_wire::event_id::media;
use salon_wire::event_id::room as r;
use salon_wire::signaling::socket::{livestreaming as wire, room};

use crate::client::{Client, NOTHING};
use crate::house::House;

async fn stage(client: &mut Client) -> (String, i32) {
    let told: room::PeerStatusUpdate = client.hear(r::PEER_STAGE_STATUS_UPDATE).await;
    (told.peer_id, told.stage_type.unwrap())
}

/// Steps on or off; the answer comes under the event of the push.
async fn steps(client: &mut Client, event: u32, request: &impl prost::Message) -> i32 {
    let id = client.tell(event, request).await;
    let answer: room::PeerStatusUpdate = client.answer(r::PEER_STAGE_STATUS_UPDATE, &id).await.unwrap();
    answer.stage_type.unwrap()
}

async fn paula_and_victor(house: &House) -> (Client, Client) {
    let meeting = house.meeting().await;
    let paula = house.add(&meeting, "Paula", "webinar_presenter").await.join_with_media().await;
    let victor = house.add(&meeting, "Victor", "webinar_viewer").await.join_with_media().await;
    (paula, victor)
}

#[tokio::test]
async fn one_of_the_audience_comes_on_stage_and_is_taken_off() {
    let house = House::open().await;
    let (mut paula, mut victor) = paula_and_victor(&house).await;
    victor.tell(r::REQUEST_STAGE_ACCESS, NOTHING).await;
    for client in [&mut paula, &mut victor] {
        assert_eq!(stage(client).await.1, room::StageType::RequestedStage as i32);
    }
    let state: room::GetRoomStageStateResponse = paula.ask(r::GET_ROOM_STAGE_STATE, NOTHING).await.unwrap();
    assert_eq!((state.on_stage_peers, state.requested_stage_peers), (vec![paula.peer()], vec![victor.peer()]));
    let asked: wire::GetStageRequestsResponse = paula.hear(r::GET_STAGE_REQUESTS).await;
    assert_eq!(
        (asked.stage_requests[0].user_id.clone(), asked.stage_requests[0].display_name.as_str()),
        (victor.user(), "Victor")
    );
    let user_ids = vec![victor.user()];
    paula.tell(r::GRANT_STAGE_ACCESS, &wire::GrantStageAccessRequest { user_ids: user_ids.clone() }).await;
    victor.hear::<()>(r::GRANT_STAGE_ACCESS).await;
    for client in [&mut paula, &mut victor] {
        assert_eq!(stage(client).await.1, room::StageType::ApprovedStage as i32);
    }
    assert_eq!(steps(&mut victor, r::JOIN_STAGE, NOTHING).await, room::StageType::OnStage as i32);
    assert_eq!(stage(&mut paula).await, (victor.peer(), room::StageType::OnStage as i32));
    let state: room::GetRoomStageStateResponse = victor.ask(r::GET_ROOM_STAGE_STATE, NOTHING).await.unwrap();
    assert_eq!(state.on_stage_peers, [paula.peer(), victor.peer()]);
    let on_stage: wire::GetStagePeersResponse = victor.ask(r::GET_STAGE_PEERS, NOTHING).await.unwrap();
    assert_eq!(on_stage.stage_peers, [paula.peer(), victor.peer()]);
    victor.publish("video").await.unwrap();
    paula.hear::<()>(media::PEER_PRODUCER_CREATE_BROADCAST).await;

    paula.ask::<()>(r::LEAVE_STAGE, &wire::LeaveStageRequest { user_ids }).await.unwrap();
    assert_eq!(stage(&mut victor).await, (victor.peer(), room::StageType::OffStage as i32));
    paula.hear::<()>(media::PEER_PRODUCER_CLOSE_BROADCAST).await;
    assert_eq!(victor.publish("video").await.unwrap_err(), "only people on stage may do this");
    let own = wire::LeaveStageRequest { user_ids: vec![paula.user()] };
    assert_eq!(steps(&mut paula, r::LEAVE_STAGE, &own).await, room::StageType::OffStage as i32);
    assert_eq!(steps(&mut paula, r::JOIN_STAGE, NOTHING).await, room::StageType::OnStage as i32);
}

#[tokio::test]
async fn the_audience_neither_decides_nor_comes_uncalled() {
    let house = House::open().await;
    let (mut paula, mut victor) = paula_and_victor(&house).await;
    let forbidden = "the preset does not allow this";
    assert_eq!(victor.refused(r::JOIN_STAGE, NOTHING).await, forbidden);
    let user_ids = vec![victor.user()];
    assert_eq!(
        victor.refused(r::GRANT_STAGE_ACCESS, &wire::GrantStageAccessRequest { user_ids: user_ids.clone() }).await,
        forbidden
    );
    assert_eq!(
        victor.refused(r::DENY_STAGE_ACCESS, &wire::DenyStageAccessRequest { user_ids: user_ids.clone() }).await,
        forbidden
    );
    let paulas = wire::LeaveStageRequest { user_ids: vec![paula.user()] };
    assert_eq!(victor.refused(r::LEAVE_STAGE, &paulas).await, forbidden);
    victor.tell(r::REQUEST_STAGE_ACCESS, NOTHING).await;
    victor.tell(r::CANCEL_STAGE_REQUEST, NOTHING).await;
    victor.tell(r::REQUEST_STAGE_ACCESS, NOTHING).await;
    let asked: wire::GetStageRequestsResponse = victor.ask(r::GET_STAGE_REQUESTS, NOTHING).await.unwrap();
    assert_eq!(asked.stage_requests, [], "the list is for those who decide");
    let asked: wire::GetStageRequestsResponse = paula.ask(r::GET_STAGE_REQUESTS, NOTHING).await.unwrap();
    assert_eq!(asked.stage_requests.len(), 1);
    paula.tell(r::DENY_STAGE_ACCESS, &wire::DenyStageAccessRequest { user_ids }).await;
    victor.hear::<()>(r::DENY_STAGE_ACCESS).await;
    assert_eq!(victor.refused(r::JOIN_STAGE, NOTHING).await, forbidden);
}
