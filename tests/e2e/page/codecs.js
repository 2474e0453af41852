// Makes the SDK, which publishes VP8, publish something else: what it asks of the browser is changed on the way.

/** From now on the camera is published as `codec` (`video/VP9`), in one stream with layers if `scalabilityMode` says so. */
export function publishes({ codec, scalabilityMode }) {
  const restrict = RTCRtpTransceiver.prototype.setCodecPreferences;
  RTCRtpTransceiver.prototype.setCodecPreferences = function (codecs) {
    if (this.sender.track?.kind !== 'video') return restrict.call(this, codecs);
    const known = RTCRtpSender.getCapabilities('video').codecs;
    return restrict.call(this, known.filter(({ mimeType }) => mimeType === codec || mimeType === 'video/rtx'));
  };
  const connection = RTCPeerConnection.prototype;
  const add = connection.addTransceiver;
  connection.addTransceiver = function (track, given) {
    if (scalabilityMode && track.kind === 'video') return add.call(this, track, { ...given, sendEncodings: [{ scalabilityMode }] });
    return add.call(this, track, given);
  };
}
