/** How the daemon is reached: TLS, mutual TLS, an API key, a unix socket. Must not know messages, steps or retries. */

import { readFileSync } from "node:fs";
import { BlockList, isIPv4, isIPv6 } from "node:net";
import { type ChannelCredentials, type ClientOptions, Metadata, credentials } from "@grpc/grpc-js";

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

const OPTIONS: ClientOptions = {
  // Retries are made here, as the daemon asks for them; gRPC would add its own.
  "grpc.enable_retries": 0,
  // A connection that broke without a word is noticed, and a daemon that is back is found again within a second.
  "grpc.keepalive_time_ms": 20_000,
  "grpc.keepalive_timeout_ms": 5_000,
  "grpc.initial_reconnect_backoff_ms": 100,
  "grpc.max_reconnect_backoff_ms": 1_000,
};

const LOOPBACK = new BlockList();
LOOPBACK.addSubnet("127.0.0.0", 8);
LOOPBACK.addAddress("::1", "ipv6");

/** Say how to reach a target: with TLS unless it is on this machine. Throws where files or options are wrong. */
export function wayTo(target: string, tls: Tls | undefined, insecure: boolean): Way {
  if (target === "") {
    throw new TypeError("target: is empty; give HOST:PORT or unix:/PATH");
  }
  if (insecure && tls) {
    throw new TypeError("insecure: contradicts tls; give one of them");
  }
  if (insecure || (!tls && isLocal(target))) {
    return { target, credentials: credentials.createInsecure(), options: OPTIONS };
  }
  const { ca, certificate, key, serverName } = tls ?? {};
  if ((certificate === undefined) !== (key === undefined)) {
    throw new TypeError("tls: certificate and key belong together; give both, or neither");
  }
  return {
    target,
    credentials: credentials.createSsl(content(ca), content(key), content(certificate)),
    options: serverName === undefined ? OPTIONS : { ...OPTIONS, "grpc.ssl_target_name_override": serverName },
  };
}

/** Return what a call carries to say who calls. Throws where the key is none. */
export function metadata(apiKey: ApiKey | undefined): Metadata {
  const found = new Metadata();
  if (apiKey !== undefined) {
    // Of a file, which ends with a line feed; gRPC sends none.
    const key = (typeof apiKey === "string" ? apiKey : apiKey()).trim();
    if (!/^[\x20-\x7e]+$/.test(key)) {
      throw new TypeError("apiKey: is empty, or has characters that no key has; give the text that begins with vk_");
    }
    found.set("authorization", `Bearer ${key}`);
  }
  return found;
}

/** Say whether a target is a unix socket or a loopback address, which no network can listen to. */
function isLocal(target: string): boolean {
  if (/^unix(-abstract)?:/.test(target)) {
    return true;
  }
  const host = target.slice(0, target.lastIndexOf(":")).replace(/^\[|\]$/g, "");
  if (isIPv4(host) || isIPv6(host)) {
    return LOOPBACK.check(host, isIPv4(host) ? "ipv4" : "ipv6");
  }
  return host === "localhost";
}

function content(pem: string | Buffer | undefined): Buffer | null {
  return pem === undefined ? null : typeof pem === "string" ? readFileSync(pem) : pem;
}
