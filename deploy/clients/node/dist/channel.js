"use strict";
/** How the daemon is reached: TLS, mutual TLS, an API key, a unix socket. Must not know messages, steps or retries. */
Object.defineProperty(exports, "__esModule", { value: true });
exports.wayTo = wayTo;
exports.metadata = metadata;
const node_fs_1 = require("node:fs");
const node_net_1 = require("node:net");
const grpc_js_1 = require("@grpc/grpc-js");
const OPTIONS = {
    // Retries are made here, as the daemon asks for them; gRPC would add its own.
    "grpc.enable_retries": 0,
    // A connection that broke without a word is noticed, and a daemon that is back is found again within a second.
    "grpc.keepalive_time_ms": 20_000,
    "grpc.keepalive_timeout_ms": 5_000,
    "grpc.initial_reconnect_backoff_ms": 100,
    "grpc.max_reconnect_backoff_ms": 1_000,
};
const LOOPBACK = new node_net_1.BlockList();
LOOPBACK.addSubnet("127.0.0.0", 8);
LOOPBACK.addAddress("::1", "ipv6");
/** Say how to reach a target: with TLS unless it is on this machine. Throws where files or options are wrong. */
function wayTo(target, tls, insecure) {
    if (target === "") {
        throw new TypeError("target: is empty; give HOST:PORT or unix:/PATH");
    }
    if (insecure && tls) {
        throw new TypeError("insecure: contradicts tls; give one of them");
    }
    if (insecure || (!tls && isLocal(target))) {
        return { target, credentials: grpc_js_1.credentials.createInsecure(), options: OPTIONS };
    }
    const { ca, certificate, key, serverName } = tls ?? {};
    if ((certificate === undefined) !== (key === undefined)) {
        throw new TypeError("tls: certificate and key belong together; give both, or neither");
    }
    return {
        target,
        credentials: grpc_js_1.credentials.createSsl(content(ca), content(key), content(certificate)),
        options: serverName === undefined ? OPTIONS : { ...OPTIONS, "grpc.ssl_target_name_override": serverName },
    };
}
/** Return what a call carries to say who calls. Throws where the key is none. */
function metadata(apiKey) {
    const found = new grpc_js_1.Metadata();
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
function isLocal(target) {
    if (/^unix(-abstract)?:/.test(target)) {
        return true;
    }
    const host = target.slice(0, target.lastIndexOf(":")).replace(/^\[|\]$/g, "");
    if ((0, node_net_1.isIPv4)(host) || (0, node_net_1.isIPv6)(host)) {
        return LOOPBACK.check(host, (0, node_net_1.isIPv4)(host) ? "ipv4" : "ipv6");
    }
    return host === "localhost";
}
function content(pem) {
    return pem === undefined ? null : typeof pem === "string" ? (0, node_fs_1.readFileSync)(pem) : pem;
}
