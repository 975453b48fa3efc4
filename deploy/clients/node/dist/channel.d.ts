/** How the daemon is reached: TLS, mutual TLS, an API key, a unix socket. Must not know messages, steps or retries. */
import { type ChannelCredentials, type ClientOptions, Metadata } from "@grpc/grpc-js";
/** A key, or what returns the present one, which is asked at each call. */
export type ApiKey = string | (() => string);
/** What proves who is who: paths of PEM files, or their content. Without `ca` the system's authorities count. */
export interface Tls {
    readonly ca?: string | Buffer;
    /** Of this gateway, for mutual TLS; with `key`. */
    readonly certificate?: string | Buffer;
    readonly key?: string | Buffer;
    /** The name in the daemon's certificate, where it is not the host of the target. */
    readonly serverName?: string;
}
/** A target, the credentials for it and the channel's options. */
export interface Way {
    readonly target: string;
    readonly credentials: ChannelCredentials;
    readonly options: ClientOptions;
}
/** Say how to reach a target: with TLS unless it is on this machine. Throws where files or options are wrong. */
export declare function wayTo(target: string, tls: Tls | undefined, insecure: boolean): Way;
/** Return what a call carries to say who calls. Throws where the key is none. */
export declare function metadata(apiKey: ApiKey | undefined): Metadata;
