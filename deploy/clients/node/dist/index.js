"use strict";
/** A client of Vestibule for identity gateways: what to do with a login, as one of eight steps. */
var __createBinding = (this && this.__createBinding) || (Object.create ? (function(o, m, k, k2) {
    if (k2 === undefined) k2 = k;
    var desc = Object.getOwnPropertyDescriptor(m, k);
    if (!desc || ("get" in desc ? !m.__esModule : desc.writable || desc.configurable)) {
      desc = { enumerable: true, get: function() { return m[k]; } };
    }
    Object.defineProperty(o, k2, desc);
}) : (function(o, m, k, k2) {
    if (k2 === undefined) k2 = k;
    o[k2] = m[k];
}));
var __exportStar = (this && this.__exportStar) || function(m, exports) {
    for (var p in m) if (p !== "default" && !Object.prototype.hasOwnProperty.call(exports, p)) __createBinding(exports, m, p);
};
Object.defineProperty(exports, "__esModule", { value: true });
exports.nextStep = exports.VestibuleError = exports.RequestRefused = exports.NoAnswer = exports.Client = void 0;
var client_js_1 = require("./client.js");
Object.defineProperty(exports, "Client", { enumerable: true, get: function () { return client_js_1.Client; } });
var errors_js_1 = require("./errors.js");
Object.defineProperty(exports, "NoAnswer", { enumerable: true, get: function () { return errors_js_1.NoAnswer; } });
Object.defineProperty(exports, "RequestRefused", { enumerable: true, get: function () { return errors_js_1.RequestRefused; } });
Object.defineProperty(exports, "VestibuleError", { enumerable: true, get: function () { return errors_js_1.VestibuleError; } });
__exportStar(require("./generated/vestibule/v1/decision.js"), exports);
__exportStar(require("./generated/vestibule/v1/event.js"), exports);
__exportStar(require("./generated/vestibule/v1/runtime_service.js"), exports);
var steps_js_1 = require("./steps.js");
Object.defineProperty(exports, "nextStep", { enumerable: true, get: function () { return steps_js_1.nextStep; } });
