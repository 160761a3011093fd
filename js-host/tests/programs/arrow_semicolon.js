(params) => ({ got: params });
