// What is bundled into clients.cjs: the usual gRPC client of Node, a reader that ts-proto generated, and what such a
// reader is made of.
module.exports = {
  grpc: require("@grpc/grpc-js"),
  protoLoader: require("@grpc/proto-loader"),
  tsProto: require("./generated/vestibule/v1/runtime_service.ts"),
  wire: require("@bufbuild/protobuf/wire"),
};
