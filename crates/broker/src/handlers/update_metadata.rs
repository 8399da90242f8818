//! UpdateMetadata 0–8 (ZooKeeper mode): the controller says which brokers are alive and how partitions are led.

use ottla_protocol::messages::update_metadata_request::UpdateMetadataRequest;
use ottla_protocol::messages::update_metadata_response::UpdateMetadataResponse;
use ottla_protocol::{ApiKey, ErrorCode};

use crate::api::{Api, Facing};
use crate::broker::Broker;
use crate::control::{ControlInput, LocalRequest};
use crate::reply::Reply;
use crate::request::RequestContext;

pub static API: Api = Api { key: ApiKey::UpdateMetadata, versions: (0, 8), facing: Facing::Broker, handle };

fn handle(broker: &Broker, context: &mut RequestContext<'_>, body: &mut [u8]) -> Reply {
    let request: UpdateMetadataRequest<'_> = match context.decode(body) {
        Ok(request) => request,
        Err(reply) => return reply,
    };
    let error = update(broker, context, &request).err().unwrap_or(ErrorCode::None);
    context.reply(&UpdateMetadataResponse { error_code: error.code() })
}

fn update(broker: &Broker, context: &RequestContext<'_>, request: &UpdateMetadataRequest<'_>) -> Result<(), ErrorCode> {
    if broker.replicas.is_broker_epoch_stale(request.broker_epoch) {
        tracing::info!(
            request.broker_epoch,
            request.controller_id,
            "an UpdateMetadata for an earlier life was refused"
        );
        return Err(ErrorCode::StaleBrokerEpoch);
    }
    let deleted = {
        let _changing = broker.replicas.begin_state_change(request.controller_epoch)?;
        broker.shared.metadata.update(request, context.api_version)
    };
    broker.shared.metadata_updated(context.now, &deleted);
    broker.shared.control.submit(ControlInput::Local(LocalRequest::MetadataChanged));
    Ok(())
}
