// Calls a daemon as a gateway written for Java would, and prints each decision as ProtoJSON, or the error's status and
// whether it has details: Smoke HOST:PORT COUNT.

import com.google.protobuf.util.JsonFormat;
import io.grpc.CallOptions;
import io.grpc.Grpc;
import io.grpc.InsecureChannelCredentials;
import io.grpc.ManagedChannel;
import io.grpc.MethodDescriptor;
import io.grpc.StatusRuntimeException;
import io.grpc.protobuf.ProtoUtils;
import io.grpc.protobuf.StatusProto;
import io.grpc.stub.ClientCalls;
import java.util.concurrent.TimeUnit;
import vestibule.v1.Event;
import vestibule.v1.RuntimeService;

public final class Smoke {
  private static final MethodDescriptor<
          RuntimeService.ExecutePostLoginRequest, RuntimeService.ExecutePostLoginResponse>
      EXECUTE =
          MethodDescriptor
              .<RuntimeService.ExecutePostLoginRequest, RuntimeService.ExecutePostLoginResponse>newBuilder()
              .setType(MethodDescriptor.MethodType.UNARY)
              .setFullMethodName("vestibule.v1.ActionRuntimeService/ExecutePostLogin")
              .setRequestMarshaller(
                  ProtoUtils.marshaller(RuntimeService.ExecutePostLoginRequest.getDefaultInstance()))
              .setResponseMarshaller(
                  ProtoUtils.marshaller(RuntimeService.ExecutePostLoginResponse.getDefaultInstance()))
              .build();

  public static void main(String[] args) throws Exception {
    ManagedChannel channel = Grpc.newChannelBuilder(args[0], InsecureChannelCredentials.create()).build();
    JsonFormat.Printer printer = JsonFormat.printer().omittingInsignificantWhitespace();
    for (int number = 0; number < Integer.parseInt(args[1]); number++) {
      RuntimeService.ExecutePostLoginRequest request =
          RuntimeService.ExecutePostLoginRequest.newBuilder()
              .setTenantId("acme")
              .setRequestId("r-" + number)
              .setEvent(
                  Event.PostLoginEvent.newBuilder()
                      .setUser(Event.User.newBuilder().setUserId("auth0|1"))
                      .setClient(Event.Client.newBuilder().setClientId("portal")))
              .build();
      CallOptions options = CallOptions.DEFAULT.withDeadlineAfter(20, TimeUnit.SECONDS);
      try {
        System.out.println(
            printer.print(ClientCalls.blockingUnaryCall(channel, EXECUTE, options, request).getDecision()));
      } catch (StatusRuntimeException error) {
        int details = StatusProto.fromThrowable(error).getDetailsCount();
        System.out.println("{\"status\":\"" + error.getStatus().getCode() + "\",\"details\":" + details + "}");
      }
    }
    channel.shutdownNow().awaitTermination(10, TimeUnit.SECONDS);
  }
}
