// A second, independent reader of chartseal's encrypted records, on WebCrypto: for a browser, and for Node.
//
// In scope: opening a record that was released, or a range of one (docs/ENVELOPE.md): the sealed key, header, announcement and body. Written from that document, not from the Rust
// crate, and held to the same frozen vectors, so that each reads the other's mistakes. Nothing but WebCrypto is needed at run time. Not in scope:
// sealing, evidence and signatures (who announced, who released), fetching, storing.

export { type Announcement, parseAnnouncement } from "./announcement.ts";
export { EnvelopeError, type FailureCode } from "./failure.ts";
export { type Body } from "./frames.ts";
export { type Context, type Header, type WrappedKey, parseHeader } from "./header.ts";
export { type Binding, type SealedKey, openSealedKey, parseSealedKey } from "./key-release.ts";
export { type Opened, type Opening, type Sink, open } from "./open.ts";
export { type FrameRange, type Span, frameRange, openRange, parseRangeProof } from "./range.ts";
